"""`python -m improve_git` is `improve-git`."""

from improve_git.cli.main import main

main()
