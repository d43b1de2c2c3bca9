#pragma once
// A run for TensorBoard.

#include <cstdint>
#include <string>
#include <string_view>

namespace lopt {

/// Writes the scalars of a run's metrics.jsonl by step, and its spec as a text, as FOLDER/events.out.tfevents.0.lopt: a
/// file of records (length, payload, each with a masked CRC-32C), each payload an Event of TensorFlow's event.proto.
/// Throws std::runtime_error.
void write_events(const std::string& folder);

/// Castagnoli's polynomial, reflected: 0x82f63b78.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace lopt
