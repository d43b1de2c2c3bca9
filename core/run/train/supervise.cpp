// lopt-run supervise: a command that trains, begun again as often as it dies and has come further.
#include "run/train/supervise.h"

#include "run/command_line.h"
#include "run/train/child_runs.h"
#include "run/train/hosts.h"
#include "run/session/session.h"

#include <boost/dll/runtime_symbol_info.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lopt {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

/// A command line with `lopt-run train SPEC --out RUN` or `lopt-run resume RUN` in it, and how it goes on.
class SupervisedCommand {
 public:
  explicit SupervisedCommand(std::vector<std::string> words) : words_(std::move(words)) {
    const auto runner =
        std::ranges::find_if(words_, [](const std::string& word) { return fs::path(word).filename() == "lopt-run"; });
    verb_ = static_cast<std::size_t>(runner - words_.begin()) + 1;
    const std::string verb = verb_ < words_.size() ? words_[verb_] : "";
    if (verb != "train" && verb != "resume")
      throw UsageError(
          fmt::format("`{}` has no `lopt-run train` or `lopt-run resume` in it: what would be begun again?",
                      fmt::join(words_, " ")));
    if (verb == "resume") {
      if (verb_ + 1 < words_.size()) run_ = words_[verb_ + 1];
      return;
    }
    run_ = option("--out").value_or("");
    if (run_.empty())
      throw UsageError("`lopt-run train` needs --out RUN here, so that it is known which run is to go on");
  }

  const std::string& run() const { return run_; }

  /// What is to be called now: the command itself, or `resume` in the place of `train` where the run has begun.
  std::vector<std::string> next() const {
    if (words_[verb_] == "resume") return words_;
    if (!fs::exists(run_ + "/spec.yaml") || !fs::exists(run_ + "/run.json")) return words_;
    std::vector<std::string> result(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(verb_));
    result.insert(result.end(), {"resume", run_});
    if (const auto threads = option("--threads")) result.insert(result.end(), {"--threads", *threads});
    if (std::ranges::any_of(words_, [](const std::string& word) { return word == "-q" || word == "--quiet"; }))
      result.emplace_back("-q");
    return result;
  }

  /// What a run leaves that died before its folder was one is in the way of the next.
  void clear_unbegun() const {
    if (fs::exists(run_ + "/run.json")) return;
    std::error_code error;
    for (const char* name : {"spec.yaml", "spec.yaml.partial", "run.json.partial"})
      fs::remove(run_ + "/" + name, error);
  }

 private:
  std::optional<std::string> option(const std::string& name) const {
    for (std::size_t i = verb_; i < words_.size(); ++i) {
      if (words_[i] == name && i + 1 < words_.size()) return words_[i + 1];
      if (words_[i].starts_with(name + "=")) return words_[i].substr(name.size() + 1);
    }
    return std::nullopt;
  }

  std::vector<std::string> words_;
  std::size_t verb_ = 0;  // where `train` stands
  std::string run_;
};

/// Steps whose metrics are written.
std::size_t steps_of(const std::string& run) {
  std::ifstream file(run + "/metrics.jsonl");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
}

/// Ranks whose mpirun is gone are ours by then: they would keep the run's folder.
void end_orphans() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::ifstream children(fmt::format("/proc/self/task/{}/children", ::getpid()));
    std::vector<pid_t> processes;
    for (pid_t process = 0; children >> process;) processes.push_back(process);
    if (processes.empty()) return;
    for (const pid_t process : processes) ::kill(process, SIGKILL);
    for (const pid_t process : processes) ::waitpid(process, nullptr, 0);
  }
}

volatile std::sig_atomic_t wanted_anew = 0;

class Supervisor {
 public:
  /// `launcher` says what stands before the command, each time anew; empty: nothing.
  Supervisor(SupervisedCommand command, int attempts, double stall,
             std::function<std::vector<std::string>()> launcher = {})
      : command_(std::move(command)), attempts_(attempts), stall_(stall), launcher_(std::move(launcher)) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    hear_signals();
    std::signal(SIGUSR1, [](int) { wanted_anew = 1; });
  }

  int run() {
    std::size_t most = steps_of(command_.run());
    for (int in_vain = 0;;) {
      const EndedRun ended = watched(start_command(next()));
      end_orphans();
      if (ended.code == success || stop_wanted()) return ended.code;
      if (std::exchange(wanted_anew, 0) != 0) continue;
      // A spec, a plugin or data that are wrong are so the next time too.
      if (ended.code >= wrong_usage && ended.code <= bad_data) return ended.code;
      const std::size_t steps = steps_of(command_.run());
      in_vain = steps > most ? 0 : in_vain + 1;
      most = std::max(most, steps);
      if (in_vain >= attempts_)
        throw std::runtime_error(
            most == 0
                ? fmt::format("it has died {} times without a first step: there it ends", attempts_)
                : fmt::format("it has died {} times without one more step than {}: there it ends; {} has what was "
                              "reached",
                              attempts_, most, command_.run()));
      Session::warn(fmt::format("it ended with code {} after {} steps, and is begun again", ended.code, steps));
      command_.clear_unbegun();
    }
  }

 private:
  std::vector<std::string> next() const {
    std::vector<std::string> words = launcher_ ? launcher_() : std::vector<std::string>();
    const std::vector<std::string> command = command_.next();
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  /// Waits for its end; passes a signal on, and kills what makes no step for too long.
  EndedRun watched(pid_t process) const {
    std::size_t steps = steps_of(command_.run());
    bool told = false;
    auto last_step = std::chrono::steady_clock::now(), looked = last_step;
    while (true) {
      int status = 0;
      if (::waitpid(process, &status, WNOHANG) == process)
        return {process, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
      if (const int signal = signal_that_came(); signal != 0 && !told) {
        ::kill(process, signal);
        told = true;
      }
      if (wanted_anew == 1) {
        wanted_anew = 2;
        ::kill(process, SIGTERM);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (stall_ <= 0 || seconds_since(looked) < 1) continue;
      looked = std::chrono::steady_clock::now();
      if (const std::size_t now = steps_of(command_.run()); now != steps) {
        steps = now;
        last_step = looked;
      } else if (seconds_since(last_step) > stall_) {
        Session::warn(fmt::format("no step ended for {:.0f} s: the command is killed", stall_));
        ::kill(process, SIGKILL);
      }
    }
  }

  SupervisedCommand command_;
  int attempts_;
  double stall_;
  std::function<std::vector<std::string>()> launcher_;
};

}  // namespace

int run_supervise(int argc, char** argv) {
  int attempts = 3;
  double stall = 0;
  po::options_description description;
  description.add_options()("attempts", po::value(&attempts)->default_value(3),
                            "how often it may die one after the other without having come further")(
      "stall", po::value(&stall)->default_value(0), "seconds without a step after which it is killed; 0: any");
  const std::string usage = "lopt-run supervise [options] -- COMMAND …";
  const auto values = options::parse(
      argc, argv, description, usage,
      "Runs a command with `lopt-run train SPEC --out RUN` in it, as in\n\n    lopt-run supervise -- mpirun -n 8 "
      "lopt-run train pes.yaml 'checkpoint.every=1 step' --out RUN\n\nand where it dies, with a rank or a machine, "
      "goes on by `lopt-run resume RUN` in its place, as often as it has come further. With `checkpoint.every: 1 step` "
      "no step is lost. What a wrong spec, plugin or data ends is not begun again. SIGINT and SIGTERM end the command, "
      "which keeps a checkpoint; SIGUSR1 ends it and begins it again, with the hosts that a host file names by then.");
  if (!values) return success;
  if (attempts < 1) throw UsageError("--attempts must be at least 1");
  SupervisedCommand command(options::positional(*values));
  return Supervisor(std::move(command), attempts, stall).run();
}

int run_on_hosts(const std::string& hosts, int argc, char** argv) {
  static_cast<void>(hosts_of(hosts));
  std::vector<std::string> words{boost::dll::program_location().string()};
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--hosts")
      ++i;
    else if (!word.starts_with("--hosts="))
      words.push_back(word);
  }
  constexpr int attempts = 3;
  return Supervisor(SupervisedCommand(std::move(words)), attempts, 0,
                    [hosts] { return mpirun_on(hosts_that_answer(hosts_of(hosts))); })
      .run();
}

}  // namespace lopt
