#pragma once
// What the functions of lopt.h share: what is thrown becomes a code and a sentence.

#include <lopt.h>

#include "embed/failure.h"

#include <lopt/settings.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

namespace lopt {

/// A message is cut at a whole character of UTF-8.
inline int report(lopt_error* error, int code, const std::string& message) {
  if (!error) return code;
  error->code = code;
  std::size_t size = std::min(message.size(), sizeof error->message - 1);
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0U) == 0x80U) --size;
  std::memcpy(error->message, message.data(), size);
  error->message[size] = '\0';
  return code;
}

/// Calls f, and says what it threw.
template <class Function>
int reported(lopt_error* error, Function f) noexcept {
  try {
    f();
    return report(error, LOPT_SUCCESS, "");
  } catch (...) {
    try {
      const Failure failure = failure_of(std::current_exception());
      return report(error, failure.code, fmt::format("{}", fmt::join(failure.messages, "\n")));
    } catch (...) {
      return LOPT_FAILED;  // no memory even for the sentence
    }
  }
}

inline void require_argument(const void* pointer, const char* function, const char* name) {
  if (!pointer) throw SettingsError(fmt::format("{}: {} is NULL", function, name));
}

/// LOPT_SIMD forces a SIMD level, as in the runner. Throws SettingsError for one that the processor has not.
void select_simd_once();

template <class T>
void require_all(T* const* tensors, std::size_t count, const char* function, const char* name) {
  if (count > 0) require_argument(tensors, function, name);
  for (std::size_t i = 0; i < count; ++i)
    if (!tensors[i]) throw SettingsError(fmt::format("{}: {}[{}] is NULL", function, name, i));
}

}  // namespace lopt
