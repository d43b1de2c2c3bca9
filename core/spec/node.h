#pragma once
// A spec as it was written: values with their places in the file.

#include <lopt/settings.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lopt {

/// Where a value was written. Lines and columns count from 1; line 0: not in a file.
struct Location {
  std::string source;  // the file, or "command line"
  int line = 0, column = 0;
};
/// "configs/pes.yaml:12:5".
std::string to_text(const Location& location);

/// A mapping, a sequence, a scalar or nothing.
struct SpecNode {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  Location where;
  std::string text;                                       // of a scalar
  bool quoted = false;                                    // a quoted scalar is a text, whatever it looks like
  std::vector<std::pair<std::string, SpecNode>> entries;  // of a mapping, in order
  std::vector<SpecNode> items;                            // of a sequence

  // Not in the class: while it is not complete, no compiler knows what its vectors may do.
  SpecNode();
  SpecNode(const SpecNode&);
  SpecNode(SpecNode&&) noexcept;
  SpecNode& operator=(const SpecNode&);
  SpecNode& operator=(SpecNode&&) noexcept;
  ~SpecNode();

  static SpecNode scalar(std::string text, bool quoted = false);
  static SpecNode mapping(std::vector<std::pair<std::string, SpecNode>> entries);
  static SpecNode mapping() { return mapping({}); }

  bool is_mapping() const { return kind == Kind::mapping; }
  /// The entry of a mapping, or null.
  const SpecNode* find(std::string_view key) const;
  SpecNode* find(std::string_view key);
  void set(const std::string& key, SpecNode value);
};

/// Everything that is wrong with a spec, a sentence each: exit code 2.
class SpecError : public std::runtime_error {
 public:
  explicit SpecError(std::vector<std::string> messages);
  const std::vector<std::string>& messages() const { return messages_; }

 private:
  std::vector<std::string> messages_;
};

/// Throws SpecError with one sentence.
[[noreturn]] void refuse(const Location& where, const std::string& message);

/// Collects what is wrong, so that a user sees all of it at once.
class SpecErrors {
 public:
  /// "FILE:LINE:COLUMN: PATH: MESSAGE".
  void add(const Location& where, const std::string& path, const std::string& message);
  void add(const SpecErrors& others) {
    messages_.insert(messages_.end(), others.messages_.begin(), others.messages_.end());
  }
  bool empty() const { return messages_.empty(); }
  /// Throws SpecError if there is anything.
  void raise() const;

 private:
  std::vector<std::string> messages_;
};

/// Bytes of a spec at most.
inline constexpr std::size_t most_spec_bytes = 1 << 20;
/// Reads one document of YAML, with its merge keys (`<<`) merged. `source` is what errors call it. Throws SpecError.
SpecNode parse_spec(std::string_view text, const std::string& source);
/// Applies "key.path=value", where the value is YAML; null removes the key, there or not. Throws SpecError.
void apply_override(SpecNode& spec, const std::string& assignment);
/// YAML of a node.
std::string to_yaml(const SpecNode& node);
/// The same on one line.
std::string to_line(const SpecNode& node);

}  // namespace lopt
