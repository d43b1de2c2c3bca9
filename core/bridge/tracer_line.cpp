// The line to the program that describes components: a Unix socket of this machine, by an abstract name.
#include "bridge/exchange.h"
#include "registry/installation.h"
#include "registry/registry.h"

#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace lopt {
namespace {

constexpr const char* variable = "LOPT_TRACER";  // the socket of a program that is there already

struct Address {
  sockaddr_un address{};
  socklen_t length = 0;
  explicit Address(const std::string& name) {
    address.sun_family = AF_UNIX;
    const std::size_t size = std::min(name.size(), sizeof address.sun_path - 1);
    std::memcpy(address.sun_path + 1, name.data(), size);  // the first byte is 0: no file
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

int connected(const std::string& name) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address address(name);
  if (socket >= 0 && ::connect(socket, address.get(), address.length) == 0) return socket;
  if (socket >= 0) ::close(socket);
  return -1;
}

/// Where the modules of lopt for Python are: of an installation, of a wheel, in which the installation lies, or of the
/// tree.
std::string python_folder() {
  const std::filesystem::path prefix = installation_prefix();
  for (const std::filesystem::path& folder : {prefix / "share/lopt/python", prefix.parent_path().parent_path()})
    if (std::filesystem::exists(folder / "lopt" / "tracer.py")) return folder.string();
  return "";
}

/// Starts Python with a socket that listens; the name of the socket.
std::string started_python(pid_t& child, std::string& program) {
  const char* named = std::getenv("LOPT_PYTHON");
  program = named && *named ? named : "python3";
  const std::string name = fmt::format("lopt-{}-{}", ::getpid(), static_cast<const void*>(&child)),
                    folder = python_folder(), parent = std::to_string(::getpid());
  if (folder.empty())
    throw PluginError(fmt::format("the Python modules of lopt are not in {}/share/lopt/python; install lopt again",
                                  installation_prefix()));
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const Address address(name);
  if (listening < 0 || ::bind(listening, address.get(), address.length) != 0 || ::listen(listening, 64) != 0)
    throw PluginError(fmt::format("no socket for Python: {}", std::strerror(errno)));
  const char* before = std::getenv("PYTHONPATH");
  const std::string path = folder + (before && *before ? ":" + std::string(before) : ""),
                    number = std::to_string(listening);
  child = ::fork();
  if (child == 0) {
    ::fcntl(listening, F_SETFD, 0);
    ::setenv("PYTHONPATH", path.c_str(), 1);
    ::setsid();       // Ctrl-C is the runner's
    cpu_set_t every;  // the thread that asks may be held on one processor
    std::memset(&every, 0xff, sizeof every);
    ::sched_setaffinity(0, sizeof every, &every);
    ::execlp(program.c_str(), program.c_str(), "-m", "lopt.tracer", number.c_str(), parent.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(listening);
  if (child < 0) throw PluginError(fmt::format("no process for Python: {}", std::strerror(errno)));
  return name;
}

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}
bool receive_all(int socket, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

struct TracerLine::State {
  std::mutex mutex;
  int socket = -1;
  pid_t owner = 0;  // the process that opened it: a fork opens its own
  pid_t python = -1;
  std::string name, program;
  std::vector<std::string> folders;
  std::size_t folders_told = 0;

  void open() {
    if (socket >= 0 && owner == ::getpid()) return;
    if (socket >= 0) ::close(socket);
    socket = -1;
    owner = ::getpid();
    folders_told = 0;
    const char* named = std::getenv(variable);
    if (name.empty() && named) socket = connected(name = named);
    if (socket < 0 && !name.empty()) socket = connected(name);
    if (socket >= 0) return;
    name = started_python(python, program);
    socket = connected(name);
    if (socket < 0) throw PluginError(fmt::format("Python does not listen: {}", std::strerror(errno)));
  }
  [[noreturn]] void ended() {
    ::close(socket);
    socket = -1;
    name.clear();
    int status = 0;
    if (python > 0 && owner == ::getpid() && ::waitpid(python, &status, 0) == python && WIFEXITED(status) &&
        WEXITSTATUS(status) == 127)
      throw PluginError(fmt::format(
          "Python is needed to describe components, and '{}' cannot be run; LOPT_PYTHON names another", program));
    throw PluginError("Python ended while it described a component; what it said stands above");
  }
  /// The rest of a message whose head is here.
  TracerMessage rest(std::string text, const MessageSizes& sizes) {
    text.resize(head_bytes + sizes.json + sizes.bytes);
    if (!receive_all(socket, text.data() + head_bytes, text.size() - head_bytes)) ended();
    return decode(text);
  }
  TracerMessage exchange(const TracerMessage& question, const Answer& answer) {
    if (!send_all(socket, encode(question))) ended();
    while (true) {
      std::string text(head_bytes, '\0');
      if (!receive_all(socket, text.data(), head_bytes)) ended();
      const MessageSizes sizes = sizes_in(text);
      TracerMessage said = rest(std::move(text), sizes);
      if (!said.json.contains("ask")) return said;
      if (!answer) throw BridgeError("a question where an answer was expected");
      TracerMessage back;
      try {
        back = answer(said);
      } catch (const std::exception& error) {
        back.json = {{"error", {{"code", 1}, {"message", error.what()}}}};
      }
      if (!send_all(socket, encode(back))) ended();
    }
  }
};

TracerLine::TracerLine() : state_(std::make_unique<State>()) {}
TracerLine::~TracerLine() {
  if (state_->socket >= 0) ::close(state_->socket);
  // Python ends where nobody speaks to it any more.
  int status = 0;
  if (state_->python > 0 && state_->owner == ::getpid()) ::waitpid(state_->python, &status, WNOHANG);
}

void TracerLine::add_folder(const std::string& folder) {
  const std::lock_guard lock(state_->mutex);
  state_->folders.push_back(folder);
}

bool TracerLine::ask_numbers(const std::string& json, std::span<const std::span<const float>> input,
                             std::span<float> output, TracerMessage& said) {
  const std::lock_guard lock(state_->mutex);
  std::size_t count = 0;
  for (const auto& part : input) count += part.size_bytes();
  if (!send_all(state_->socket, head_of({json.size(), count}) + json)) state_->ended();
  for (const auto& part : input)
    if (!send_all(state_->socket, {reinterpret_cast<const char*>(part.data()), part.size_bytes()})) state_->ended();
  std::string head(head_bytes, '\0');
  if (!receive_all(state_->socket, head.data(), head_bytes)) state_->ended();
  const MessageSizes sizes = sizes_in(head);
  constexpr std::uint64_t empty_object = 2;
  if (sizes.json == empty_object && sizes.bytes == output.size_bytes()) {
    char object[empty_object];
    if (!receive_all(state_->socket, object, empty_object) ||
        !receive_all(state_->socket, reinterpret_cast<char*>(output.data()), output.size_bytes()))
      state_->ended();
    return true;
  }
  said = state_->rest(std::move(head), sizes);
  return false;
}

void TracerLine::share(const TracerLine& other) {
  const std::lock_guard lock(other.state_->mutex);
  other.state_->open();  // so that one program is started for all
  state_->name = other.state_->name;
  state_->folders = other.state_->folders;
}

TracerMessage TracerLine::ask(const TracerMessage& question, const Answer& answer) {
  const std::lock_guard lock(state_->mutex);
  try {
    state_->open();
    for (; state_->folders_told < state_->folders.size(); ++state_->folders_told) {
      TracerMessage folder;
      folder.json = {{"ask", "look in"}, {"folder", state_->folders[state_->folders_told]}};
      state_->exchange(folder, nullptr);
    }
    return state_->exchange(question, answer);
  } catch (const BridgeError& error) {
    throw PluginError(fmt::format("Python does not answer as it should: {}", error.what()));
  }
}

}  // namespace lopt
