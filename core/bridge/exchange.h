#pragma once
// Questions to the program that describes components, and what it answered before.

#include "bridge/message.h"
#include "data/durable_file.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>

namespace lopt {

/// Answers that were given, by question: a file of messages, question and answer in turn. What is cut short at its end
/// is left out.
class TracedFile {
 public:
  /// Nothing where the file is not there. Throws DataError for a file of something else.
  explicit TracedFile(const std::string& path);
  /// The answer, or null.
  const std::string* find(const std::string& question) const;
  /// Bytes of whole messages.
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
  std::map<std::string, std::string> answers_;
};

/// What is answered while the other side thinks: what it wants to know itself.
using Answer = std::function<TracerMessage(const TracerMessage& question)>;

/// A line to a program that describes components: the one that LOPT_TRACER names, or a Python that is started for it.
/// Each process has its own; threads take turns.
class TracerLine {
 public:
  TracerLine();
  ~TracerLine();
  void add_folder(const std::string& folder);
  /// Speaks to the program of another line, where that has one.
  void share(const TracerLine& other);
  /// Throws PluginError where there is no such program, or it ends.
  TracerMessage ask(const TracerMessage& question, const Answer& answer);
  /// The same of numbers, without copies: `json` is the text of a question; false where the answer is not numbers that
  /// fill `output`, but a message, which is put into `said`.
  bool ask_numbers(const std::string& json, std::span<const std::span<const float>> input, std::span<float> output,
                   TracerMessage& said);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Exchange {
 public:
  Exchange() = default;
  /// Everything is answered here.
  explicit Exchange(Answer here) : here_(std::move(here)) {}

  /// The answer from `traced`, from the file of the run, or from the program. What the program says that is wrong is
  /// thrown: SettingsError, PluginError, DataError or CoreError, by its code.
  TracerMessage ask(const TracerMessage& question, const std::string& traced);
  /// The same for what is different each time: nothing is kept.
  TracerMessage ask_now(const TracerMessage& question, const Answer& answer);

  /// A line of its own to the same program.
  void prepare(TracerLine& line) { line.share(line_); }
  void add_folder(const std::string& folder) { line_.add_folder(folder); }
  void read_traced(const std::string& file);
  void keep_traced(const std::string& file);

 private:
  const std::string* answered(const std::string& question, const std::string& traced);

  Answer here_;
  std::mutex mutex_;
  TracerLine line_;
  std::map<std::string, TracedFile> files_;     // by path
  std::string first_;                           // asked first for all
  std::map<std::string, std::string> answers_;  // of this process
  /// Adds to the file of keep_traced(), which is opened for the first record: most runs have none.
  void keep(const std::string& record);

  std::string kept_file_;
  std::size_t kept_size_ = 0;
  std::unique_ptr<LineFile> kept_;
};

}  // namespace lopt
