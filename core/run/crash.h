#pragma once

namespace lopt {

/// From now on, a crash (a segmentation fault, say), or a plugin's call that does not come back, is a sentence that
/// names the plugin that was called, and exit code 3 if there was one, else 1.
void explain_crashes();

}  // namespace lopt
