#pragma once
// Settings of a component, declared where they are used. The same declarations check a spec, fill `lopt-run describe`
// and document the defaults. A value that does not fit is reported with its place in the spec once the constructor is
// done; until then its default stands in, so constructors need no checks of their own.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lopt {

class Settings;
class Rate;  // lopt/schedule.h

/// Settings that do not fit what they are used for, found out where they are used: exit code 2. Begins with the place
/// in the spec, where that is known.
class SettingsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The name among `known` that is closest to `name`, as "; did you mean 'x'?", or nothing where none is close.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);
/// Whether a name fits a pattern, in which * stands for any characters, ? for one, [ab] for one of some: "layer*/b".
bool fits_pattern(const std::string& name, const std::string& pattern);

/// One declared setting, as `describe` shows it.
struct Declaration {
  std::string name;
  std::string type;  // "real", "integer", "boolean", "text", a plural of these, "rate", or the kind of a component
  std::string documentation;  // what it means
  std::string unit;           // "steps", "examples"; empty for plain numbers
  std::string default_text;   // as YAML; empty where a value is required
  bool required = false;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_is_out = false;  // low itself is not allowed
  bool high_is_out = false;
  std::vector<std::string> choices;  // of a text
  bool not_empty = false;            // of a list
  /// What is wrong with a text, as a sentence without subject ("must be …"); empty where nothing is.
  std::function<std::string(const std::string&)> fault;
};

/// A component that was made from a draw of its settings.
struct DrawnComponent {
  std::shared_ptr<const void> component;  // null where it could not be made (an error is then reported)
  std::string text;                       // its settings as YAML on a line, with every default
};

/// A component by a name that the spec gives it.
struct NamedComponent {
  std::string name;
  std::shared_ptr<const void> component;  // null where it could not be made
  std::string where;                      // the place in the spec, to begin a SettingsError with
};

/// A rate as the spec has it: a number, or a schedule.
struct RateValue {
  double number = 0;
  std::shared_ptr<const void> schedule;
  std::string where;
};

/// Where values come from: a mapping of a spec. Implemented by the core.
class SettingsSource {
 public:
  virtual ~SettingsSource() = default;
  virtual double real(const Declaration&, std::optional<double> fallback) = 0;
  virtual std::int64_t integer(const Declaration&, std::optional<std::int64_t> fallback) = 0;
  virtual bool boolean(const Declaration&, std::optional<bool> fallback) = 0;
  virtual std::string text(const Declaration&, const std::optional<std::string>& fallback) = 0;
  virtual std::vector<std::int64_t> integers(const Declaration&,
                                             const std::optional<std::vector<std::int64_t>>& fallback) = 0;
  virtual std::vector<std::string> texts(const Declaration&,
                                         const std::optional<std::vector<std::string>>& fallback) = 0;
  virtual std::vector<double> reals(const Declaration&, const std::optional<std::vector<double>>& fallback) = 0;
  virtual RateValue rate(const Declaration&, std::optional<double> fallback) = 0;
  /// A component of a kind; null where the spec's is unusable (an error is then reported).
  virtual std::shared_ptr<const void> component(const Declaration&, const std::string& fallback) = 0;
  /// The same `count` times, where each value that is a distribution is drawn anew from the seed. All keys that no
  /// other setting has taken by now are settings of the component, too.
  virtual std::vector<DrawnComponent> drawn(const Declaration&, std::int64_t count, std::uint64_t seed) = 0;
  /// Each of a list of components, with what it says of its share.
  virtual std::vector<DrawnComponent> components(const Declaration&) = 0;
  /// Each of a mapping of components; nothing where there is none.
  virtual std::vector<NamedComponent> named(const Declaration&) = 0;
};

/// Builds a declaration; converting it to its value declares the setting and reads it.
template <class Derived, class Value>
class SettingBuilder {
 public:
  SettingBuilder(SettingsSource& source, std::string name, std::string type, std::optional<Value> fallback)
      : source_(source), fallback_(std::move(fallback)) {
    declaration_.name = std::move(name);
    declaration_.type = std::move(type);
    declaration_.required = !fallback_;
  }
  Derived& doc(std::string text) { return declaration_.documentation = std::move(text), self(); }
  Derived& unit(std::string text) { return declaration_.unit = std::move(text), self(); }

 protected:
  Derived& self() { return static_cast<Derived&>(*this); }
  SettingsSource& source_;
  Declaration declaration_;
  std::optional<Value> fallback_;
};

/// Ranges of numbers.
template <class Derived, class Value>
class NumberBuilder : public SettingBuilder<Derived, Value> {
 public:
  using SettingBuilder<Derived, Value>::SettingBuilder;
  /// More than `low`.
  Derived& above(double low) {
    return this->declaration_.low = low, this->declaration_.low_is_out = true, this->self();
  }
  Derived& at_least(double low) { return this->declaration_.low = low, this->self(); }
  Derived& at_most(double high) { return this->declaration_.high = high, this->self(); }
  /// Less than `high`.
  Derived& below(double high) {
    return this->declaration_.high = high, this->declaration_.high_is_out = true, this->self();
  }
  Derived& between(double low, double high) { return at_least(low).at_most(high); }
};

class RealSetting : public NumberBuilder<RealSetting, double> {
 public:
  using NumberBuilder::NumberBuilder;
  operator double() { return source_.real(declaration_, fallback_); }  // NOLINT(google-explicit-constructor)
};
class IntegerSetting : public NumberBuilder<IntegerSetting, std::int64_t> {
 public:
  using NumberBuilder::NumberBuilder;
  operator std::int64_t() { return source_.integer(declaration_, fallback_); }  // NOLINT(google-explicit-constructor)
  operator int() { return static_cast<int>(std::int64_t{*this}); }              // NOLINT(google-explicit-constructor)
};
/// A list; a number alone is a list of one. The range is that of each element.
class IntegersSetting : public NumberBuilder<IntegersSetting, std::vector<std::int64_t>> {
 public:
  using NumberBuilder::NumberBuilder;
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::vector<std::int64_t>() { return source_.integers(declaration_, fallback_); }
};
/// A list; a number alone is a list of one. The range is that of each element.
class RealsSetting : public NumberBuilder<RealsSetting, std::vector<double>> {
 public:
  using NumberBuilder::NumberBuilder;
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::vector<double>() { return source_.reals(declaration_, fallback_); }
};
/// A number, or a schedule: any component of that kind. The range is that of the number.
class RateSetting : public NumberBuilder<RateSetting, double> {
 public:
  using NumberBuilder::NumberBuilder;
  operator Rate();  // NOLINT(google-explicit-constructor)
};
class BooleanSetting : public SettingBuilder<BooleanSetting, bool> {
 public:
  using SettingBuilder::SettingBuilder;
  operator bool() { return source_.boolean(declaration_, fallback_); }  // NOLINT(google-explicit-constructor)
};
class TextSetting : public SettingBuilder<TextSetting, std::string> {
 public:
  using SettingBuilder::SettingBuilder;
  TextSetting& one_of(std::vector<std::string> choices) { return declaration_.choices = std::move(choices), *this; }
  operator std::string() { return source_.text(declaration_, fallback_); }  // NOLINT(google-explicit-constructor)
};
/// A list; a text alone is a list of one.
class TextsSetting : public SettingBuilder<TextsSetting, std::vector<std::string>> {
 public:
  using SettingBuilder::SettingBuilder;
  /// `fault` says what is wrong with an element, as "must be …"; nothing where it is right.
  TextsSetting& each(std::function<std::string(const std::string&)> fault) {
    return declaration_.fault = std::move(fault), *this;
  }
  TextsSetting& not_empty() { return declaration_.not_empty = true, *this; }
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::vector<std::string>() { return source_.texts(declaration_, fallback_); }
};
/// Another component, by its name or a mapping with `plugin` and settings of its own.
template <class Component>
class ComponentSetting : public SettingBuilder<ComponentSetting<Component>, std::string> {
 public:
  using SettingBuilder<ComponentSetting<Component>, std::string>::SettingBuilder;
  operator std::shared_ptr<const Component>() {  // NOLINT(google-explicit-constructor)
    return std::static_pointer_cast<const Component>(
        this->source_.component(this->declaration_, this->fallback_.value_or("")));
  }
};

/// A component with its settings as text.
template <class Component>
struct Drawn {
  std::shared_ptr<const Component> component;
  std::string text;
};
/// Components of one kind that are drawn, or listed.
template <class Component>
class DrawnSetting : public SettingBuilder<DrawnSetting<Component>, std::string> {
 public:
  DrawnSetting(SettingsSource& source, std::string name)
      : SettingBuilder<DrawnSetting<Component>, std::string>(source, std::move(name), Component::kind, std::nullopt) {}
  std::vector<Drawn<Component>> draws(std::int64_t count, std::uint64_t seed) {
    return typed(this->source_.drawn(this->declaration_, count, seed));
  }
  std::vector<Drawn<Component>> all() {
    this->declaration_.type += "s";
    this->declaration_.required = false;
    return typed(this->source_.components(this->declaration_));
  }

 private:
  static std::vector<Drawn<Component>> typed(std::vector<DrawnComponent> drawn) {
    std::vector<Drawn<Component>> result;
    for (DrawnComponent& one : drawn)
      result.push_back({std::static_pointer_cast<const Component>(one.component), std::move(one.text)});
    return result;
  }
};

/// Components of one kind by names: `optimizers: {"b*": {plugin: sgd}}`.
template <class Component>
struct Named {
  std::string name;
  std::shared_ptr<const Component> component;
  std::string where;
};
template <class Component>
class NamedSetting : public SettingBuilder<NamedSetting<Component>, std::string> {
 public:
  NamedSetting(SettingsSource& source, std::string name)
      : SettingBuilder<NamedSetting<Component>, std::string>(source, std::move(name),
                                                             std::string(Component::kind) + "s", "") {}
  operator std::vector<Named<Component>>() {  // NOLINT(google-explicit-constructor)
    std::vector<Named<Component>> result;
    for (NamedComponent& one : this->source_.named(this->declaration_))
      result.push_back(
          {std::move(one.name), std::static_pointer_cast<const Component>(one.component), std::move(one.where)});
    return result;
  }
};

/// The settings of one component. Without a default, a setting must be in the spec.
class Settings {
 public:
  explicit Settings(SettingsSource& source) : source_(source) {}

  RealSetting real(std::string name, std::optional<double> fallback = {}) {
    return {source_, std::move(name), "real", fallback};
  }
  /// At most 2³¹ − 1 unless it says otherwise.
  IntegerSetting integer(std::string name, std::optional<std::int64_t> fallback = {}) {
    IntegerSetting setting(source_, std::move(name), "integer", fallback);
    setting.between(-2147483647.0, 2147483647.0);
    return setting;
  }
  IntegersSetting integers(std::string name, std::optional<std::vector<std::int64_t>> fallback = {}) {
    return {source_, std::move(name), "integers", std::move(fallback)};
  }
  RealsSetting reals(std::string name, std::optional<std::vector<double>> fallback = {}) {
    return {source_, std::move(name), "reals", std::move(fallback)};
  }
  /// A number or a schedule. Includers of lopt/schedule.h get a Rate of it.
  RateSetting rate(std::string name, std::optional<double> fallback = {}) {
    return {source_, std::move(name), "rate", fallback};
  }
  BooleanSetting boolean(std::string name, std::optional<bool> fallback = {}) {
    return {source_, std::move(name), "boolean", fallback};
  }
  TextSetting text(std::string name, std::optional<std::string> fallback = {}) {
    return {source_, std::move(name), "text", std::move(fallback)};
  }
  TextsSetting texts(std::string name, std::optional<std::vector<std::string>> fallback = {}) {
    return {source_, std::move(name), "texts", std::move(fallback)};
  }
  /// By default the component of a name, or of a mapping as in "{plugin: synthetic, kind: spirals}".
  template <class Component>
  ComponentSetting<Component> component(std::string name, std::optional<std::string> fallback = {}) {
    return {source_, std::move(name), Component::kind, std::move(fallback)};
  }

  /// Components of a kind, each with a name; none where the spec has none.
  template <class Component>
  NamedSetting<Component> named(std::string name) {
    return {source_, std::move(name)};
  }

  /// Components of a kind: `draws(count, seed)` of a distribution over the settings of one, or `all()` of a list. To be
  /// asked for last: keys that no setting has taken belong to what is drawn.
  template <class Component>
  DrawnSetting<Component> drawn(std::string name) {
    return {source_, std::move(name)};
  }

 private:
  SettingsSource& source_;
};

}  // namespace lopt
