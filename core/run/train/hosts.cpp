#include "run/train/hosts.h"

#include "run/command_line.h"
#include "run/train/child_runs.h"
#include "run/session/session.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace lopt {
namespace {

constexpr double most_seconds_of_an_answer = 10;

Host host_in(const std::string& text, const std::string& where) {
  const auto refuse = [&](const char* why) {
    throw UsageError(fmt::format("{}: '{}' {}; right would be HOST:RANKS, as in node1:8", where, text, why));
  };
  const std::size_t colon = text.rfind(':'), words = text.find(" slots=");
  const std::size_t end = words != std::string::npos ? words : colon;
  Host host{text.substr(0, end)};
  if (host.name.empty() || host.name.find_first_of(" \t/") != std::string::npos) refuse("names no host");
  if (end == std::string::npos) return host;
  const std::string number = text.substr(end + (words != std::string::npos ? 7 : 1));
  const auto [last, code] = std::from_chars(number.data(), number.data() + number.size(), host.slots);
  if (code != std::errc() || last != number.data() + number.size() || host.slots < 1 || host.slots > 100000)
    refuse("has no number of ranks");
  return host;
}

bool is_this_one(const std::string& host) {
  return host == "localhost" || host == "127.0.0.1" || host == own_host_name();
}

std::vector<std::string> agent() {
  const char* own = std::getenv("OMPI_MCA_plm_rsh_agent");
  if (!own) return {"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"};
  std::istringstream words(own);
  return {std::istream_iterator<std::string>(words), {}};
}

bool answers(const std::string& host) {
  if (is_this_one(host)) return true;
  std::vector<std::string> words = agent();
  words.insert(words.end(), {host, "true"});
  const pid_t process = start_command(words);
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  while (::waitpid(process, &status, WNOHANG) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (seconds_since(start) < most_seconds_of_an_answer && !stop_wanted()) continue;
    ::kill(process, SIGKILL);
    ::waitpid(process, &status, 0);
    return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

std::string own_host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::vector<Host> hosts_of(const std::string& list_or_file) {
  std::vector<Host> hosts;
  if (std::filesystem::is_regular_file(list_or_file)) {
    std::ifstream file(list_or_file);
    for (std::string line; std::getline(file, line);) {
      line = line.substr(0, line.find('#'));
      while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
      if (!line.empty()) hosts.push_back(host_in(line, list_or_file));
    }
  } else {
    std::istringstream list(list_or_file);
    for (std::string word; std::getline(list, word, ',');) hosts.push_back(host_in(word, "--hosts"));
  }
  if (hosts.empty()) throw UsageError(fmt::format("--hosts: '{}' names no host", list_or_file));
  return hosts;
}

std::vector<Host> hosts_that_answer(const std::vector<Host>& hosts) {
  std::vector<Host> found;
  for (const Host& host : hosts)
    if (answers(host.name))
      found.push_back(host);
    else
      Session::warn(fmt::format("{} does not answer, and is left out", host.name));
  if (found.empty()) throw std::runtime_error("not one of the hosts answers");
  return found;
}

std::vector<std::string> mpirun_on(const std::vector<Host>& hosts) {
  std::string list;
  for (const Host& host : hosts) list += fmt::format("{}{}:{}", list.empty() ? "" : ",", host.name, host.slots);
  return {"mpirun", "--bind-to", "none", "--host", list};
}

}  // namespace lopt
