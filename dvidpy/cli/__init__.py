"""The command line: `dvidpy COMMAND`, or `dvid COMMAND`. Only here are argv and the environment read."""
