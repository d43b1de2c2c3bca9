#pragma once
// A component that another program describes: its functions are questions to it.

#include "bridge/host_workers.h"
#include "registry/registry.h"

#include <lopt/plugin.h>

#include <optional>

namespace lopt {

/// Arguments of a function by name, in order; those without a value are left out.
using Arguments = std::vector<std::pair<std::string, std::optional<Tree>>>;

/// What a function gave: JSON in which values of the program stand by their numbers.
class Traced {
 public:
  Traced(TracerMessage answer, std::vector<Tensor> values) : answer_(std::move(answer)), values_(std::move(values)) {}
  const Json& json() const { return answer_.json; }
  /// The tree that stands under a name.
  Tree tree(const std::string& name) const;
  Tensor value(const Json& number) const;

 private:
  TracerMessage answer_;
  std::vector<Tensor> values_;
};

class ForeignComponent {
 public:
  ForeignComponent(std::shared_ptr<Exchange> exchange, std::string name, Json settings, std::string traced,
                   ComponentMaker maker, std::string path)
      : exchange_(std::move(exchange)),
        name_(std::move(name)),
        settings_(std::move(settings)),
        traced_(std::move(traced)),
        maker_(std::move(maker)),
        path_(std::move(path)),
        workers_(std::make_shared<HostWorkers>(exchange_, Json{{"component", name_}, {"settings", settings_}})) {}

  /// The program of a function, with these arguments in the place of its inputs.
  Traced trace(const std::string& function, const Arguments& arguments, Json numbers = Json::object()) const;
  /// What a function of known values gives; the answer is kept.
  TracerMessage ask(const std::string& what, Json more = Json::object()) const;
  /// The same for what is different each time.
  TracerMessage ask_now(const std::string& what, TracerMessage question, const Answer& answer) const;
  /// A component that an answer names by the text of its spec. Throws SpecError.
  std::shared_ptr<const void> component(const std::string& kind, const std::string& spec) const;
  const std::string& name() const { return name_; }

 private:
  TracerMessage question(const std::string& what) const;

  std::shared_ptr<Exchange> exchange_;
  std::string name_;
  Json settings_;
  std::string traced_;
  ComponentMaker maker_;
  std::string path_;
  std::shared_ptr<HostWorkers> workers_;  // where a function is evaluated outside of programs
};

/// An object of a kind whose functions are those of the component.
std::shared_ptr<const void> foreign_object(const std::string& kind, ForeignComponent component);
std::shared_ptr<const GradientEstimator> foreign_estimator(ForeignComponent component);

}  // namespace lopt
