#pragma once
// Calls into plugins: what they throw becomes an error that names the plugin, the component and the call, and what they
// break can be named too.

#include "registry/registry.h"

namespace lopt {

/// Marks that this thread is inside a call of a component, until it goes out of scope. Calls nest.
class PluginCall {
 public:
  /// Both texts must outlive this.
  PluginCall(const std::string& component, const char* function);
  ~PluginCall();
  PluginCall(const PluginCall&) = delete;
  PluginCall& operator=(const PluginCall&) = delete;

  const char* component() const { return component_; }
  const char* function() const { return function_; }
  bool outermost() const { return outer_ == nullptr; }
  /// The innermost call that this thread is in, or null. May be asked for in a signal handler.
  static const PluginCall* current();

 private:
  const char *component_, *function_;
  const PluginCall* outer_;
};

/// From now on the signal `signal` comes to a thread that spends more than `seconds` of processor time in one call that
/// describes a program (estimators and datasets run for as long as they need). Of the process, as its signals are.
void limit_calls(double seconds, int signal);

/// An object of the component's kind that passes every call on to `object`. ShapeError and TreeError come back with the
/// component and the call added; DataError, CoreError and std::bad_alloc as they are; all else as PluginError.
std::shared_ptr<const void> guarded(const ComponentInfo& component, const std::shared_ptr<const void>& object);

}  // namespace lopt
