// caught by: description. It does not say what it is.
#include "../still.h"

LOPT_PLUGIN(Still, "nameless")
