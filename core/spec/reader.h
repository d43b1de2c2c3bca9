#pragma once
// Reads the settings of one component from a mapping of a spec, and keeps what was declared and what came out.

#include "spec/node.h"

#include <lopt/settings.h>

#include <functional>

namespace lopt {

/// Makes a component of a kind from its node: a name, or a mapping with `plugin`. Returns null and adds to the errors
/// where that fails; sets `resolved` to the node with every default.
using ComponentMaker = std::function<std::shared_ptr<const void>(
    const std::string& kind, const SpecNode& node, const std::string& path, SpecErrors& errors, SpecNode& resolved)>;

class SpecReader final : public SettingsSource {
 public:
  /// `node` is a mapping. Keys in `taken` are not settings.
  SpecReader(const SpecNode& node, std::string path, SpecErrors& errors, ComponentMaker make_component,
             std::vector<std::string> taken = {});

  double real(const Declaration& d, std::optional<double> fallback) override;
  std::int64_t integer(const Declaration& d, std::optional<std::int64_t> fallback) override;
  bool boolean(const Declaration& d, std::optional<bool> fallback) override;
  std::string text(const Declaration& d, const std::optional<std::string>& fallback) override;
  std::vector<std::int64_t> integers(const Declaration& d,
                                     const std::optional<std::vector<std::int64_t>>& fallback) override;
  std::vector<std::string> texts(const Declaration& d,
                                 const std::optional<std::vector<std::string>>& fallback) override;
  std::vector<double> reals(const Declaration& d, const std::optional<std::vector<double>>& fallback) override;
  RateValue rate(const Declaration& d, std::optional<double> fallback) override;
  std::shared_ptr<const void> component(const Declaration& d, const std::string& fallback) override;
  std::vector<DrawnComponent> drawn(const Declaration& d, std::int64_t count, std::uint64_t seed) override;
  std::vector<DrawnComponent> components(const Declaration& d) override;
  std::vector<NamedComponent> named(const Declaration& d) override;

  /// Only the declarations matter: nothing is missing.
  void describe_only() { describing_ = true; }
  /// Reports keys that no setting has.
  void check_unknown() const;
  const std::vector<Declaration>& declarations() const { return declarations_; }
  /// The settings with every default, in the order in which they were declared.
  const SpecNode& resolved() const { return resolved_; }
  /// The node of a key, which counts as known from now on; null where it is not there.
  const SpecNode* take(const std::string& key);
  /// The same for a key that is declared, but read by somebody else. `type`: what a spec has there, in words.
  const SpecNode* take(const std::string& key, const std::string& type, const std::string& documentation);
  void set_resolved(const std::string& key, SpecNode node) { resolved_.set(key, std::move(node)); }
  void error(const SpecNode& node, const std::string& key, const std::string& message);

 private:
  /// The node of a setting, or null if its default holds. Reports a required one that is missing.
  const SpecNode* declare(Declaration d, std::string default_text);
  std::optional<double> number(const SpecNode& node, const Declaration& d);
  /// "task.dataset" for a key of the settings of `task`.
  std::string path_of(const std::string& key) const;
  bool in_range(const SpecNode& node, const Declaration& d, double value);

  const SpecNode& node_;
  std::string path_;
  SpecErrors& errors_;
  ComponentMaker make_component_;
  std::vector<std::string> known_;
  std::vector<Declaration> declarations_;
  SpecNode resolved_ = SpecNode::mapping();
  bool describing_ = false;
};

/// "above 0 and at most 1", or nothing where any number will do.
std::string range_text(const Declaration& declaration);

}  // namespace lopt
