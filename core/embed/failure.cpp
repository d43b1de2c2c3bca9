#include "embed/failure.h"

#include "data/printable.h"
#include "registry/registry.h"

#include <lopt/dataset.h>
#include <lopt/tree.h>

#include <new>

namespace lopt {

namespace {
Failure as_thrown(const std::exception_ptr& thrown) {
  const std::string unfit = "the parts of the spec do not fit together: ";
  try {
    std::rethrow_exception(thrown);
  } catch (const SpecError& error) {
    return {wrong_usage, error.messages()};
  } catch (const SettingsError& error) {
    return {wrong_usage, {error.what()}};
  } catch (const ShapeError& error) {
    return {wrong_usage, {unfit + error.what()}};
  } catch (const TreeError& error) {
    return {wrong_usage, {unfit + error.what()}};
  } catch (const PluginError& error) {
    return {bad_plugin, {error.what()}};
  } catch (const DataError& error) {
    return {bad_data, {error.what()}};
  } catch (const std::bad_alloc&) {
    return {wrong_usage,
            {"there is not enough memory for this run; fewer tasks, smaller batches or a smaller network need less"}};
  } catch (const std::exception& error) {
    return {failed, {error.what()}};
  } catch (...) {
    return {failed, {"something that is no std::exception was thrown"}};
  }
}
}  // namespace

Failure failure_of(const std::exception_ptr& thrown) {
  Failure failure = as_thrown(thrown);
  // Messages quote files, which may hold anything.
  for (std::string& message : failure.messages) message = printable(message);
  return failure;
}

}  // namespace lopt
