-- Takes the roster away with all that hangs on it. Walls that put themselves up stay, as walls that nobody put up.
raise_notice_only;
