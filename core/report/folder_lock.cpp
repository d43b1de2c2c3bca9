#include "report/folder_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace lopt {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string host() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

/// When a process began, in the system's ticks; another process of the same number began at another time. Empty where
/// there is none.
std::string beginning_of(long process) {
  const std::string stat = content_of(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return "";
  std::istringstream rest(stat.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) rest >> field;
  return field;
}

/// A lock.owner: host, process, its beginning, and the time for people.
std::string owner_text() {
  const long process = ::getpid();
  return fmt::format("{} {} {} {:%Y-%m-%dT%H:%M:%S}\n", host(), process, beginning_of(process),
                     fmt::localtime(std::time(nullptr)));
}

/// Makes a file that is there whole or not at all, where there is none. False: there is one.
bool make_alone(const std::string& path, const std::string& content) {
  const std::string own = fmt::format("{}.{}.{}", path, host(), ::getpid());
  std::ofstream(own) << content;
  const bool made = ::link(own.c_str(), path.c_str()) == 0;
  const int why = errno;
  ::unlink(own.c_str());
  if (made || why == EEXIST) return made;
  // No hard links here.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0 && errno != EEXIST) throw FolderError(fmt::format("{}: cannot be made: {}", path, std::strerror(errno)));
  if (file < 0) return false;
  const bool written = ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  ::close(file);
  if (!written) throw FolderError(fmt::format("{}: cannot be written", path));
  return true;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) : folder_(folder), owner_file_(folder + "/lock.owner") {
  const std::string path = folder + "/lock";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0)
    throw FolderError(fmt::format("{}: the run's folder cannot be written to: {}", folder, std::strerror(errno)));
  try {
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) {
      const std::string process = fmt::format("{}\n", ::getpid());
      if (::ftruncate(file_, 0) == 0) static_cast<void>(::write(file_, process.data(), process.size()) == 0);
      return;
    }
    if (errno == EWOULDBLOCK || errno == EINTR) {
      std::string process = content_of(path);
      process.resize(process.find_last_not_of('\n') + 1);
      throw FolderError(fmt::format("{}: another process{} is at work in this run's folder", folder,
                                    process.empty() ? "" : " (" + process + ")"));
    }
    hold_by_file(std::strerror(errno));
  } catch (...) {
    ::close(file_);
    throw;
  }
}

void FolderLock::hold_by_file(const std::string& why) {
  const std::string own = owner_text();
  while (!make_alone(owner_file_, own)) {
    const std::string owner = content_of(owner_file_);
    if (owner.empty() && !std::filesystem::exists(owner_file_)) continue;  // it has just ended
    require_gone(owner);
    take_over(owner);
  }
  owner_ = own;
  note_ = fmt::format("the file system of {} has no locks ({}); the file lock.owner in it says who is at work", folder_,
                      why);
}

void FolderLock::require_gone(const std::string& owner) const {
  std::istringstream words(owner);
  std::string its_host, beginning, since;
  long process = 0;
  words >> its_host >> process >> beginning >> since;
  const std::string who = fmt::format("process {} of {}, since {}", process, its_host, since);
  if (!words)
    throw FolderError(fmt::format("{}: is no lock that lopt wrote; remove it where no process is at work in the folder",
                                  owner_file_));
  if (its_host != host())
    throw FolderError(
        fmt::format("{}: another process ({}) is at work in this run's folder; where it is no more, remove {}", folder_,
                    who, owner_file_));
  const bool lives = ::kill(static_cast<pid_t>(process), 0) == 0 || errno == EPERM;
  if (lives && beginning_of(process) == beginning)
    throw FolderError(fmt::format("{}: another process ({}) is at work in this run's folder", folder_, process));
}

void FolderLock::take_over(const std::string& owner) const {
  const std::string aside = fmt::format("{}.{}.{}.old", owner_file_, host(), ::getpid());
  if (::rename(owner_file_.c_str(), aside.c_str()) != 0) return;  // somebody else was first
  // Somebody may have taken it over since it was read: then it is theirs, and goes back.
  if (content_of(aside) != owner) static_cast<void>(::link(aside.c_str(), owner_file_.c_str()) == 0);
  ::unlink(aside.c_str());
}

FolderLock::~FolderLock() {
  if (!owner_.empty() && content_of(owner_file_) == owner_) ::unlink(owner_file_.c_str());
  ::close(file_);
}

}  // namespace lopt
