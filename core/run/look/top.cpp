// lopt-run top: how a run under way gets on, again and again.
#include "report/page.h"
#include "report/progress.h"
#include "report/rank_shares.h"
#include "report/run_folder.h"
#include "report/text_width.h"
#include "run/command_line.h"
#include "run/session/session.h"
#include "spec/compose.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

namespace lopt {
namespace {

namespace po = boost::program_options;

/// Lines of metrics as they come; of a run that went on from before, those since then.
class MetricsTail {
 public:
  explicit MetricsTail(std::string file) : file_(std::move(file)) {}

  void read() {
    std::ifstream stream(file_, std::ios::binary | std::ios::ate);
    const auto size = stream ? static_cast<std::streamoff>(stream.tellg()) : 0;
    if (size < at_) at_ = 0;
    stream.seekg(at_);
    for (std::string line; std::getline(stream, line) && !stream.eof();) {
      at_ += static_cast<std::streamoff>(line.size()) + 1;
      const Json json = parse_json(line);
      if (!json.is_object()) continue;
      steps = json.value("step", 0) + 1;
      if (json.contains("seconds") && json["seconds"].is_number()) seconds_.push_back(json["seconds"].get<double>());
      if (seconds_.size() > recent) seconds_.pop_front();
      if (json.contains("meta_loss") && json["meta_loss"].is_number()) loss = json["meta_loss"].get<double>();
    }
  }
  double steps_a_second() const {
    double total = 0;
    for (const double seconds : seconds_) total += seconds;
    return total > 0 ? static_cast<double>(seconds_.size()) / total : 0;
  }

  int steps = 0;
  std::optional<double> loss;

 private:
  static constexpr std::size_t recent = 20;
  std::string file_;
  std::streamoff at_ = 0;
  std::deque<double> seconds_;
};

/// How long ago a file was written to, in seconds.
double age_of(const std::string& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  return error ? 0 : std::chrono::duration<double>(std::filesystem::file_time_type::clock::now() - time).count();
}

std::string state_of(const std::string& run, const MetricsTail& tail, int steps) {
  const Json summary = object_in_file(run + "/summary.json");
  if (tail.steps >= steps && !summary.empty()) return "It has ended.";
  if (summary.value("interrupted", false) && age_of(run + "/summary.json") <= age_of(run + "/metrics.jsonl"))
    return fmt::format("It was stopped; lopt-run resume {} goes on.", run);
  constexpr double silent = 60;
  if (const double age = age_of(run + "/metrics.jsonl"); age > silent)
    return fmt::format("No step has ended for {}.", duration_text(age));
  return "";
}

std::vector<std::string> screen_of(const std::string& run, MetricsTail& tail, std::size_t most_rows) {
  tail.read();
  const Json description = object_in_file(run + "/run.json");
  const SpecNode spec = read_spec(run + "/spec.yaml");
  const SpecNode* planned = spec.find("steps");
  const int steps = planned ? std::atoi(planned->text.c_str()) : 0;
  const double rate = tail.steps_a_second();
  std::string head = fmt::format("{}: step {}", description.value("name", run), tail.steps);
  if (steps > 0) head += fmt::format(" of {}", steps);
  if (rate > 0) head += fmt::format(", {:.3g} steps/s", rate);
  if (rate > 0 && steps > tail.steps) head += fmt::format(", {} left", duration_text((steps - tail.steps) / rate));
  if (tail.loss) head += fmt::format(", meta-loss {:.4f}", *tail.loss);
  std::vector<std::string> lines{head};
  if (description.contains("resumed") && !description["resumed"].empty()) {
    const Json& last = description["resumed"].back();
    const std::size_t times = description["resumed"].size();
    lines.push_back(fmt::format("It was begun again {}, at last after step {} ({}).",
                                times == 1 ? "once" : fmt::format("{} times", times), last.value("from_step", 0),
                                last.value("date", "")));
  }
  if (const std::string state = state_of(run, tail, steps); !state.empty()) lines.push_back(state);
  const RankShares shares = rank_shares_in(run);
  if (shares.ranks.empty()) return lines;
  lines.emplace_back();
  const auto rows = shares.table(most_rows);
  std::size_t host_width = 4;
  for (const auto& row : rows)
    if (row.size() > 1) host_width = std::max(host_width, std::min<std::size_t>(characters_in(row[1]), 30));
  for (const auto& row : rows) {
    if (row.size() == 1) {
      lines.push_back("  " + row[0]);
      continue;
    }
    const std::string line =
        fmt::format("  {:>5}  {}  {:>7}  {:>9}  {}", row[0], fitted(row[1], host_width), row[2], row[3], row[4]);
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  return lines;
}

}  // namespace

int run_top(int argc, char** argv) {
  bool once = false;
  po::options_description description;
  description.add_options()("once", po::bool_switch(&once), "show it once, and end");
  const std::string usage = "lopt-run top RUN [--once]";
  const auto values =
      options::parse(argc, argv, description, usage,
                     "Shows how a run under way gets on, each second: steps, how often it was begun again, and of its "
                     "ranks how much of the time each computes; whom the others wait for stands first. It reads the "
                     "run's folder alone, from any machine that sees it. Ctrl-C ends it, and not the run.");
  if (!values) return success;
  const std::vector<std::string> words = options::positional(*values);
  if (words.size() != 1) throw UsageError("which run? usage: " + usage);
  const std::string& run = words[0];
  RunFolder::expect(run);
  hear_signals();
  MetricsTail tail(run + "/metrics.jsonl");
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  while (!stop_wanted()) {
    winsize size{};
    const bool known = terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 10;
    const std::vector<std::string> lines = screen_of(run, tail, known ? size.ws_row - 8U : 1000);
    if (terminal && !once) fmt::print("\x1b[H\x1b[2J");
    for (const std::string& line : lines) fmt::print("{}\n", line);
    std::fflush(stdout);
    if (once || !terminal) return success;
    for (int i = 0; i < 20 && !stop_wanted(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return success;
}

}  // namespace lopt
