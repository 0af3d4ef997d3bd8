complete --keep-order --exclusive --command berthctl --arguments "(BERTHCTL_COMPLETE=fish berthctl -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
