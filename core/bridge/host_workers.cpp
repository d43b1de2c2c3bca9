#include "bridge/host_workers.h"

#include "data/printable.h"
#include "registry/registry.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include <unistd.h>

namespace lopt {

std::string HostFunction::name() const {
  return settings_.value("component", "a task") + "." + settings_.value("function", "loss");
}
Shape HostFunction::shape(std::span<const Shape>) const { return {settings_.at("size").get<std::int64_t>()}; }

void HostFunction::evaluate(std::span<const std::span<const float>> inputs, std::span<float> output) const {
  if (!evaluate_) throw std::runtime_error("the function is known only where it is run");
  evaluate_(inputs, output);
}

std::vector<Tensor> HostFunction::vjp(const std::vector<Tensor>& x, const Tensor& y, const Tensor& dy) const {
  if (settings_.value("function", "") != "loss") return HostPrimitive::vjp(x, y, dy);
  const std::int64_t count = x[0].dim(0);
  const Tensor gradient = stop_gradient(slice(y, {1}, {1 + count}));
  std::vector<Tensor> dx(x.size());
  dx[0] = take(dy, 0, 0) * gradient;
  return dx;
}

/// A line to a process, which answers until it is closed.
struct HostWorkers::Worker {
  TracerLine line;
  std::string last_words;  // the file of its stderr
  std::int64_t number = 0;

  ~Worker() {
    if (!last_words.empty()) ::unlink(last_words.c_str());
  }
  /// The end of what it said.
  std::string said() const {
    std::ifstream file(last_words);
    std::string line, last;
    while (std::getline(file, line))
      if (!line.empty()) last = line;
    return last.empty() ? "it said nothing" : "its last words: " + in_quotes(last);
  }
};

HostWorkers::HostWorkers(std::shared_ptr<Exchange> exchange, Json component)
    : exchange_(std::move(exchange)), component_(std::move(component)) {}
HostWorkers::~HostWorkers() = default;

std::unique_ptr<HostWorkers::Worker> HostWorkers::taken() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      std::unique_ptr<Worker> worker = std::move(free_.back());
      free_.pop_back();
      return worker;
    }
  }
  auto worker = std::make_unique<Worker>();
  exchange_->prepare(worker->line);
  TracerMessage question;
  question.json = component_;
  question.json["ask"] = "worker";
  const Json said = worker->line.ask(question, nullptr).json;
  if (said.contains("error")) throw PluginError(said.at("error").at("message").get<std::string>());
  worker->last_words = said.at("stderr").get<std::string>();
  worker->number = said.at("process").get<std::int64_t>();
  return worker;
}

void HostWorkers::evaluate(const Json& settings, std::span<const std::span<const float>> inputs,
                           std::span<float> output) {
  constexpr int most_ends = 3;
  const std::string question = to_text(Json{{"ask", settings.at("function")}, {"settings", settings}});
  std::string ends;
  for (int attempt = 0; attempt < most_ends; ++attempt) {
    std::unique_ptr<Worker> worker = taken();
    TracerMessage said;
    bool good = false;
    try {
      good = worker->line.ask_numbers(question, inputs, output, said);
    } catch (const PluginError&) {
      ends = fmt::format("the process {} that evaluates '{}' ended; {}", worker->number,
                         component_.at("component").get<std::string>(), worker->said());
      if (attempt + 1 < most_ends)
        fmt::print(stderr, "lopt-run: {}; another takes its place, and the value is computed again\n", printable(ends));
      continue;
    }
    if (!good) {
      const auto error = said.json.find("error");
      throw PluginError(error != said.json.end() ? error->at("message").get<std::string>()
                                                 : fmt::format("the function gives {} numbers where {} were expected",
                                                               said.bytes.size() / sizeof(float), output.size()));
    }
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(worker));
    return;
  }
  throw PluginError(fmt::format("{} processes in turn ended over one value: {}", most_ends, ends));
}

}  // namespace lopt
