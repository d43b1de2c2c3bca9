#include "learn/frozen_theta.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lopt {

FrozenTheta::FrozenTheta(Values whole, const std::vector<FreezePattern>& patterns) : whole_(std::move(whole)) {
  const std::vector<std::string> paths = whole_.paths();
  std::vector<bool> frozen(paths.size(), false);
  for (const FreezePattern& pattern : patterns) {
    bool names_one = false;
    for (std::size_t i = 0; i < paths.size(); ++i)
      if (fits_pattern(paths[i], pattern.text)) frozen[i] = names_one = true;
    if (!names_one)
      refuse(pattern.where,
             fmt::format("freeze: '{}' names no part of θ, which has: {}", pattern.text, fmt::join(paths, ", ")));
  }
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (!frozen[i]) trained_.push_back(i);
  if (trained_.empty()) refuse(patterns.front().where, "freeze: nothing of θ is left to be trained");
}

Values FrozenTheta::trained() const {
  if (is_whole()) return whole_;
  const std::vector<std::string> paths = whole_.paths();
  const std::vector<Array> leaves = whole_.leaves();
  std::vector<Values::Entry> entries;
  for (std::size_t i : trained_) entries.emplace_back(paths[i], leaves[i]);
  return Values(std::move(entries));
}

Values FrozenTheta::whole(const Values& trained) const {
  if (is_whole()) return trained;
  std::vector<Array> leaves = whole_.leaves();
  const std::vector<Array> replaced = trained.leaves();
  for (std::size_t i = 0; i < trained_.size(); ++i) leaves[trained_[i]] = replaced[i];
  return whole_.with_leaves<Array>(leaves);
}

Tree FrozenTheta::whole(const Tree& trained) const {
  if (is_whole()) return trained;
  std::vector<Tensor> leaves;
  for (const Array& leaf : whole_.leaves()) leaves.emplace_back(leaf);
  const std::vector<Tensor> replaced = trained.leaves();
  for (std::size_t i = 0; i < trained_.size(); ++i) leaves[trained_[i]] = replaced[i];
  return whole_.with_leaves<Tensor>(leaves);
}

}  // namespace lopt
