#pragma once
// SIGINT and SIGTERM: the first asks a run to end where it may go on later, the second ends it at once.

namespace lopt {

void hear_signals();
/// True once a signal came, after hear_signals(). Where nobody asks for ten seconds after that, or three times what the
/// longest step took, the process ends with a sentence.
bool stop_wanted();
void step_took(double seconds);
/// Which of them; 0: none yet.
int signal_that_came();

}  // namespace lopt
