"""Imports every module of the client that was made from openapi.yaml, and finds the operations that matter in it."""

import importlib
import pkgutil
import sys

import temwen_client

modules = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(temwen_client.__path__, "temwen_client.")
]
operations = [module for module in modules if hasattr(module, "sync_detailed")]
names = {module.__name__.rsplit(".", 1)[-1] for module in operations}
temwen_client.AuthenticatedClient(base_url="http://127.0.0.1:8080", token="none")

wanted = int(sys.argv[1])
if len(operations) != wanted:
    sys.exit(f"the document has {wanted} operations, the client {len(operations)}: {sorted(names)}")
print(f"{len(modules)} modules with {len(operations)} operations")
