#pragma once
// Components that no library holds: they are described in another language, by a program that is asked while tracing.

#include "registry/registry.h"

#include <lopt_trace.h>

namespace lopt {

/// Whether a spec's name is one of these: "my_module.Momentum".
bool is_foreign_name(std::string_view name);

class ForeignComponents {
 public:
  virtual ~ForeignComponents() = default;

  /// The component of a name. `traced`: a file with what was traced of it before, which is asked first; or empty.
  /// Throws SettingsError where there is none, PluginError where it cannot be described.
  virtual const ComponentInfo& find(const std::string& name, const std::string& traced) = 0;
  /// Makes it, with the settings of the reader.
  virtual std::shared_ptr<const void> create(const ComponentInfo& component, const std::string& traced,
                                             SpecReader& reader, const ComponentMaker& maker,
                                             const std::string& path) = 0;
  virtual std::vector<Declaration> declarations(const ComponentInfo& component) = 0;
  /// The same of a component of a plugin in C, whose library stays loaded.
  virtual std::shared_ptr<const void> create_in_c(const ComponentInfo& component, const lopt_c_component& described,
                                                  SpecReader& reader) = 0;

  /// A folder in which modules may lie.
  virtual void add_folder(const std::string& folder) = 0;
  /// A file of what was traced, which is asked first for all; nothing happens where it is not there.
  virtual void read_traced(const std::string& file) = 0;
  /// From now on all that is traced, and all that was, is kept in a file. Throws std::runtime_error.
  virtual void keep_traced(const std::string& file) = 0;
};

/// Those of this process; implemented in core/bridge.
std::shared_ptr<ForeignComponents> foreign_components();

/// What a run's folder calls the file of what was traced for it.
inline constexpr const char* traced_file_name = "traced.lopt";

}  // namespace lopt
