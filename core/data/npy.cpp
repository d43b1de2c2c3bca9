// One array of NumPy's .npy format: a header that is a Python dictionary, then the elements.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "data/npz.h"

#include "data/damaged.h"
#include "data/half.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

namespace lopt {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are turned round where a file is big-endian");

/// The value of a key in the header's Python dictionary, up to its comma.
std::optional<std::string> entry(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = header.substr(at + key.size() + 3);
  const std::size_t begin = rest.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  rest = rest.substr(begin);
  const char last = rest[0] == '(' ? ')' : rest[0] == '\'' ? '\'' : ',';
  const std::size_t end = rest.find(last, 1);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(last == ',' ? rest.substr(0, end) : rest.substr(1, end - 1));
}

Shape parse_shape(const std::string& text, const std::string& name) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  while (at < end) {
    if (*at == ' ' || *at == ',') {
      ++at;
      continue;
    }
    std::int64_t length = 0;
    const auto [next, error] = std::from_chars(at, end, length);
    if (error != std::errc() || length < 0) damaged(name, "its header has no readable shape");
    shape.push_back(length);
    at = next;
  }
  return shape;
}

/// What a header says, and the bytes behind it.
struct Npy {
  bool big_endian = false;
  char kind = 'f';         // b, i, u, f: as NumPy has them; V: bfloat16; U, S: text
  std::size_t length = 4;  // bytes an element; of U: characters
  bool fortran_order = false;
  Shape shape;
  std::span<const std::uint8_t> elements;

  std::size_t count() const { return static_cast<std::size_t>(element_count(shape)); }
  /// Where in the file element `index` of the row-major order is.
  std::size_t place(std::size_t index) const {
    if (!fortran_order || shape.size() < 2) return index;
    std::size_t place = 0, stride = count();
    for (std::size_t k = shape.size(); k-- > 0;) {
      const auto dimension = static_cast<std::size_t>(shape[k]);
      stride /= dimension;
      place += index % dimension * stride;
      index /= dimension;
    }
    return place;
  }
};

/// "<f4", "|u1", ">i8", "<U7"; bfloat16, which is no type of NumPy's own, is saved as two bytes of anything.
void read_type(const std::string& type, Npy& npy, const std::string& name) {
  const std::size_t at = type.find_first_not_of("<>|=");
  npy.big_endian = !type.empty() && type[0] == '>';
  const char* end = type.data() + type.size();
  bool known = at <= 1;
  if (known) {
    npy.kind = type[at];
    const auto [next, error] = std::from_chars(type.data() + at + 1, end, npy.length);
    known = error == std::errc() && next == end && npy.length < 1U << 24U;
  }
  const auto is = [&](std::string_view kinds, std::initializer_list<std::size_t> lengths) {
    return kinds.find(npy.kind) != std::string_view::npos &&
           (lengths.size() == 0 || std::find(lengths.begin(), lengths.end(), npy.length) != lengths.end());
  };
  if (known && (is("b", {1}) || is("iu", {1, 2, 4, 8}) || is("f", {2, 4, 8}) || is("V", {2}) || is("US", {}))) return;
  const bool objects = type.find('O') != std::string::npos;
  damaged(name, fmt::format("its elements are {}; real numbers, integers, bool and text are read",
                            objects ? "Python objects" : fmt::format("of type {}", in_quotes(type))));
}

Npy parse(std::span<const std::uint8_t> bytes, const std::string& name) {
  if (bytes.size() < 12 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0) damaged(name, "it is no NumPy array");
  const bool first_version = bytes[6] == 1;
  const std::size_t start = first_version ? 10 : 12;
  std::size_t length = bytes[8] + 256U * bytes[9];
  if (!first_version) length += 65536U * bytes[10] + 16777216U * bytes[11];
  if (length > bytes.size() - start) damaged(name, "its header is cut short");
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + start, length);
  const auto type = entry(header, "descr"), order = entry(header, "fortran_order"), lengths = entry(header, "shape");
  if (!type || !order || !lengths) damaged(name, "its header lacks the type, order or shape");
  Npy npy;
  read_type(*type, npy, name);
  npy.shape = parse_shape(*lengths, name);
  npy.fortran_order = *order != "False";
  npy.elements = bytes.subspan(start + length);
  try {
    element_count(npy.shape);
  } catch (const std::length_error& error) {
    damaged(name, error.what());
  }
  // Asked before any memory is.
  const std::size_t each = npy.kind == 'U' ? 4 * npy.length : npy.length, there = npy.elements.size();
  if (each > 0 && there / each < npy.count())
    damaged(name,
            fmt::format("{} bytes of elements where {} belong: the file is cut short", there, each * npy.count()));
  if (each == 0 && npy.count() > bytes.size()) damaged(name, "it speaks of more texts than it has bytes");
  return npy;
}

template <class From>
From load(const Npy& npy, std::size_t index) {
  std::uint8_t bytes[sizeof(From)];
  std::memcpy(bytes, npy.elements.data() + npy.place(index) * sizeof(From), sizeof(From));
  if (npy.big_endian) std::reverse(bytes, bytes + sizeof(From));
  return std::bit_cast<From>(bytes);
}

template <class To, class Element>
Array filled(const Npy& npy, Element element) {
  Array result(dtype_of<To>, npy.shape);
  auto to = result.mutable_values<To>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = element(i);
  return result;
}

/// Elements stored as From, kept as To.
template <class From, class To>
Array converted(const Npy& npy, const std::string& name) {
  return filled<To>(npy, [&](std::size_t i) {
    const auto element = load<From>(npy, i);
    const auto to = static_cast<To>(element);  // NOLINT(bugprone-signed-char-misuse): int8 is a number here
    if constexpr (sizeof(From) == 8 && std::is_integral_v<From>)
      if (static_cast<From>(to) != element)
        damaged(name, fmt::format("element {} is {}, which does not fit 32 bits", i, element));
    return to;
  });
}

Array numbers_of(const Npy& npy, const std::string& name) {
  if (npy.kind == 'f' && npy.length == 2)
    return filled<float>(npy, [&](std::size_t i) { return from_half(load<std::uint16_t>(npy, i)); });
  if (npy.kind == 'V')
    return filled<float>(npy, [&](std::size_t i) { return from_bfloat16(load<std::uint16_t>(npy, i)); });
  if (npy.kind == 'f')
    return npy.length == 4 ? converted<float, float>(npy, name) : converted<double, float>(npy, name);
  if (npy.kind == 'i') {
    if (npy.length == 1) return converted<std::int8_t, std::int32_t>(npy, name);
    if (npy.length == 2) return converted<std::int16_t, std::int32_t>(npy, name);
    if (npy.length == 4) return converted<std::int32_t, std::int32_t>(npy, name);
    return converted<std::int64_t, std::int32_t>(npy, name);
  }
  if (npy.length == 1) return converted<std::uint8_t, std::int32_t>(npy, name);  // bool too
  if (npy.length == 2) return converted<std::uint16_t, std::int32_t>(npy, name);
  if (npy.length == 4) return converted<std::uint32_t, std::uint32_t>(npy, name);
  return converted<std::uint64_t, std::uint32_t>(npy, name);
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) return put(0xc0U | code >> 6U), put(0x80U | (code & 0x3fU));
  if (code < 0x10000) return put(0xe0U | code >> 12U), put(0x80U | (code >> 6U & 0x3fU)), put(0x80U | (code & 0x3fU));
  put(0xf0U | (code >> 18U & 7U)), put(0x80U | (code >> 12U & 0x3fU)), put(0x80U | (code >> 6U & 0x3fU));
  put(0x80U | (code & 0x3fU));
}

/// Texts end where only zeros follow.
std::vector<std::string> texts_of(const Npy& npy) {
  std::vector<std::string> texts(npy.count());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t first = npy.place(i) * npy.length;
    for (std::size_t k = 0; k < npy.length; ++k) {
      if (npy.kind == 'S') {
        texts[i] += static_cast<char>(npy.elements[first + k]);
      } else {
        std::uint8_t bytes[4];
        std::memcpy(bytes, npy.elements.data() + 4 * (first + k), 4);
        if (npy.big_endian) std::reverse(bytes, bytes + 4);
        append_utf8(texts[i], std::bit_cast<std::uint32_t>(bytes));
      }
    }
    texts[i].resize(texts[i].find_last_not_of('\0') + 1);
  }
  return texts;
}

}  // namespace

StoredArray parse_stored_npy(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Npy npy = parse(bytes, name);
  StoredArray result;
  result.shape = npy.shape;
  if (npy.kind == 'U' || npy.kind == 'S') {
    result.kind = StoredArray::Kind::text;
    result.texts = texts_of(npy);
    return result;
  }
  using Kind = StoredArray::Kind;
  result.kind = npy.kind == 'b'                      ? Kind::boolean
                : npy.kind == 'f' || npy.kind == 'V' ? Kind::real
                : npy.kind == 'u' && npy.length == 1 ? Kind::byte
                                                     : Kind::integer;
  result.numbers = numbers_of(npy, name);
  return result;
}

Array parse_npy(std::span<const std::uint8_t> bytes, const std::string& name) {
  const Npy npy = parse(bytes, name);
  if (npy.kind == 'U' || npy.kind == 'S') damaged(name, "it is an array of text; numbers are wanted");
  return numbers_of(npy, name);
}

}  // namespace lopt
