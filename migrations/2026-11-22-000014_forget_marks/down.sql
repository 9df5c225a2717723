drop function forget_marks(uuid);
