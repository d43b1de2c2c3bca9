"""What every component must do: the checks of `lopt-run check-plugin`, by name. Add what its numbers must be."""

import lopt

import my_plugin

for name, outcome in lopt.check(my_plugin.MyPlugin, quiet=True).items():
    print(f"{name:16} {outcome}")
