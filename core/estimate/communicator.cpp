#include "estimate/communicator.h"

#include <algorithm>
#include <cstring>

namespace lopt {
namespace {

std::vector<std::int64_t> numbers_of_all(Communicator& ranks, std::int64_t number) {
  const std::vector<std::size_t> sizes(static_cast<std::size_t>(ranks.size()), sizeof number);
  const std::vector<std::byte> bytes = ranks.all_gather(std::as_bytes(std::span(&number, 1)), sizes);
  std::vector<std::int64_t> numbers(sizes.size());
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

}  // namespace

std::int64_t most(Communicator& ranks, std::int64_t number) {
  const std::vector<std::int64_t> numbers = numbers_of_all(ranks, number);
  return *std::max_element(numbers.begin(), numbers.end());
}

std::vector<std::string> texts_of_all(Communicator& ranks, const std::string& text) {
  std::vector<std::size_t> sizes;
  for (std::int64_t size : numbers_of_all(ranks, static_cast<std::int64_t>(text.size())))
    sizes.push_back(static_cast<std::size_t>(size));
  const std::vector<std::byte> bytes = ranks.all_gather(std::as_bytes(std::span(text)), sizes);
  std::vector<std::string> texts;
  const char* at = reinterpret_cast<const char*>(bytes.data());
  for (std::size_t size : sizes) {
    texts.emplace_back(at, size);
    at += size;
  }
  return texts;
}

std::string from_rank_0(Communicator& ranks, const std::string& text) {
  return texts_of_all(ranks, ranks.rank() == 0 ? text : "")[0];
}

}  // namespace lopt
