#include "report/tensorboard.h"

#include "data/json.h"
#include "data/durable_file.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace lopt {
namespace {

using Put = std::function<void(std::string_view)>;

/// Protocol buffers, as far as events need them: fields by number.
class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    tag(field, 0);
    varint(value);
    return *this;
  }
  Message& real(int field, double value) {
    tag(field, 1);
    little_endian(std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Message& single(int field, float value) {
    tag(field, 5);
    little_endian(std::bit_cast<std::uint32_t>(value), 4);
    return *this;
  }
  Message& text(int field, std::string_view value) {
    tag(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }
  void little_endian(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
  }

 private:
  void tag(int field, unsigned type) { varint(static_cast<unsigned>(field) << 3U | type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

void put_record(const Put& put, const std::string& payload) {
  Message length, length_crc, crc;
  length.little_endian(payload.size(), 8);
  length_crc.little_endian(masked(crc32c(length.bytes())), 4);
  crc.little_endian(masked(crc32c(payload)), 4);
  put(length.bytes() + length_crc.bytes() + payload + crc.bytes());
}

// Fields of Event: wall_time 1, step 2, file_version 3, summary 5; of Summary: value 1; of its Value: tag 1,
// simple_value 2, tensor 8, metadata 9.
Message event(double time, std::uint64_t step) {
  Message event;
  event.real(1, time);
  if (step) event.number(2, step);
  return event;
}

std::string scalar_value(const std::string& tag, double value) {
  return Message().text(1, tag).single(2, static_cast<float>(value)).bytes();
}

/// A text is a tensor of one string (dtype 1: 7, DT_STRING; string_val 8) shown by the plugin "text".
std::string text_value(const std::string& tag, const std::string& text) {
  const std::string plugin = Message().text(1, "text").bytes(), metadata = Message().text(1, plugin).bytes();
  const std::string dimension = Message().number(1, 1).bytes(), shape = Message().text(2, dimension).bytes();
  const std::string tensor = Message().number(1, 7).text(2, shape).text(8, text).bytes();
  return Message().text(1, tag).text(8, tensor).text(9, metadata).bytes();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1U ? value >> 1U ^ 0x82f63b78U : value >> 1U;
      entries[i] = value;
    }
    return entries;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) crc = crc >> 8U ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
  return ~crc;
}

void write_events(const std::string& folder) {
  const auto begun = std::chrono::file_clock::to_sys(std::filesystem::last_write_time(folder + "/spec.yaml"));
  double time = std::chrono::duration<double>(begun.time_since_epoch()).count();
  write_durably(folder + "/events.out.tfevents.0.lopt", [&](const Put& put) {
    put_record(put, event(time, 0).text(3, "brain.Event:2").bytes());
    std::stringstream spec;
    spec << std::ifstream(folder + "/spec.yaml").rdbuf();
    const std::string marked_down = "```yaml\n" + spec.str() + "```\n";
    put_record(put, event(time, 0).text(5, Message().text(1, text_value("spec", marked_down)).bytes()).bytes());
    std::ifstream lines(folder + "/metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const Json json = parse_json(line);
      if (!json.is_object() || !json.contains("step")) continue;
      time += json.value("seconds", 0.0);
      Message summary;
      const auto add = [&](const std::string& tag, const Json& value) {
        if (value.is_number()) summary.text(1, scalar_value(tag, value.get<double>()));
      };
      for (const auto& [key, value] : json.items()) {
        if (key == "step") continue;
        if (value.is_object())
          for (const auto& [name, below] : value.items()) add(key + "/" + name, below);
        else
          add(key, value);
      }
      put_record(put, event(time, json["step"].get<std::uint64_t>()).text(5, summary.bytes()).bytes());
    }
  });
}

}  // namespace lopt
