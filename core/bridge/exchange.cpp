#include "bridge/exchange.h"

#include "registry/registry.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

namespace lopt {
namespace {

/// The message at a place, which then lies behind it; nothing where the rest is shorter.
std::string_view next_message(std::string_view text, std::size_t& at) {
  if (text.size() - at < head_bytes) return {};
  const MessageSizes sizes = sizes_in(text.substr(at));
  const std::size_t rest = text.size() - at - head_bytes;
  if (sizes.json > rest || sizes.bytes > rest - sizes.json) return {};
  const std::string_view message = text.substr(at, head_bytes + sizes.json + sizes.bytes);
  at += message.size();
  return message;
}

void raise_error(const TracerMessage& answer) {
  const auto found = answer.json.find("error");
  if (found == answer.json.end()) return;
  const std::string message = found->at("message").get<std::string>();
  switch (found->at("code").get<int>()) {
    case 2: throw SettingsError(message);
    case 3: throw PluginError(message);
    case 4: throw DataError(message);
    default: throw CoreError(message);
  }
}

}  // namespace

TracedFile::TracedFile(const std::string& path) {
  if (!std::filesystem::exists(path)) return;
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  try {
    for (std::size_t at = 0;;) {
      const std::string_view question = next_message(text, at), answer = next_message(text, at);
      if (answer.empty()) return;
      size_ = at;
      answers_.insert_or_assign(to_text(decode(question).json), std::string(answer));
    }
  } catch (const BridgeError& error) {
    throw DataError(fmt::format("{}: is no file of traced programs: {}", path, error.what()));
  }
}

const std::string* TracedFile::find(const std::string& question) const {
  const auto found = answers_.find(question);
  return found == answers_.end() ? nullptr : &found->second;
}

const std::string* Exchange::answered(const std::string& question, const std::string& traced) {
  for (const std::string& path : {traced, first_}) {
    if (path.empty()) continue;
    if (const std::string* answer = files_.try_emplace(path, path).first->second.find(question)) return answer;
  }
  const auto found = answers_.find(question);
  return found == answers_.end() ? nullptr : &found->second;
}

TracerMessage Exchange::ask(const TracerMessage& question, const std::string& traced) {
  if (here_) return here_(question);
  const std::lock_guard lock(mutex_);
  const std::string key = to_text(question.json);
  if (const std::string* answer = answered(key, traced)) {
    const auto [at, is_new] = answers_.try_emplace(key, *answer);
    if (is_new) keep(encode(question) + at->second);
    return decode(at->second);
  }
  TracerMessage answer = line_.ask(question, nullptr);
  raise_error(answer);
  const std::string& text = answers_.insert_or_assign(key, encode(answer)).first->second;
  keep(encode(question) + text);
  return answer;
}

TracerMessage Exchange::ask_now(const TracerMessage& question, const Answer& answer) {
  TracerMessage said = line_.ask(question, answer);
  raise_error(said);
  return said;
}

void Exchange::read_traced(const std::string& file) {
  const std::lock_guard lock(mutex_);
  first_ = file;
}

void Exchange::keep_traced(const std::string& file) {
  const std::lock_guard lock(mutex_);
  const TracedFile there(file);
  kept_file_ = file;
  kept_size_ = there.size();
  kept_.reset();
  for (const auto& [question, answer] : answers_)
    if (!there.find(question)) keep(encode(TracerMessage{parse_json(question), ""}) + answer);
}

void Exchange::keep(const std::string& record) {
  if (kept_file_.empty()) return;
  if (!kept_) kept_ = std::make_unique<LineFile>(kept_file_, kept_size_);
  kept_->add(record);
}

}  // namespace lopt
