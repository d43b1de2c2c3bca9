#pragma once
// One process at a time works in a folder.

#include <stdexcept>
#include <string>

namespace lopt {

/// The folder cannot be made, or is somebody else's: wrong usage.
class FolderError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Holds a folder until it goes. By flock, which the system takes away from a process that ends, however it ends. File
/// systems of clusters may have none (Lustre without -o flock, some NFS): there a file, lock.owner, says which process
/// of which host is at work since when; one of a process of this host that is no more is taken over.
class FolderLock {
 public:
  /// Throws FolderError where another process has it, or the folder cannot be written to.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// What a person should know of how it is held; empty where all is as usual.
  const std::string& note() const { return note_; }

 private:
  void hold_by_file(const std::string& why);
  void require_gone(const std::string& owner) const;
  void take_over(const std::string& owner) const;

  std::string folder_, owner_file_, owner_, note_;
  int file_ = -1;
};

}  // namespace lopt
