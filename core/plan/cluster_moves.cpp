#include "plan/clusters.h"
#include "plan/views.h"

#include <algorithm>
#include <set>

namespace lopt {
namespace {

class Mover {
 public:
  Mover(const Program& program, Clusters& clusters)
      : program_(program),
        clusters_(clusters),
        users_(program.operations.size()),
        in_memory_(program.operations.size()),
        outputs_(program.operations.size()),
        read_(clusters.members.size()) {
    for (ValueId i = 0; i < program.operations.size(); ++i) {
      in_memory_[i] = clusters.of[i] == Clusters::none;
      for (ValueId input : program.operations[i].inputs) {
        users_[input].push_back(i);
        if (clusters.of[i] == Clusters::none) {
          in_memory_[base_of(input)] = true;
        } else if (clusters.of[i] != clusters.of[input]) {
          in_memory_[base_of(input)] = true;
          read_[clusters.of[i]].insert(base_of(input));
        }
      }
    }
    for (ValueId output : program.outputs) in_memory_[base_of(output)] = outputs_[output] = true;
  }

  void run() {
    for (ValueId value = static_cast<ValueId>(program_.operations.size()); value-- > 0;)
      if (const std::uint32_t reader = sole_reader(value); reader != Clusters::none && saving(value, reader) > 0)
        move(value, reader);
  }

 private:
  std::int64_t elements_of(ValueId value) const { return element_count(program_.type(value).shape); }
  /// What a view looks at in the end.
  ValueId base_of(ValueId value) const {
    while (is_view(program_.operations[value])) value = program_.operations[value].inputs[0];
    return value;
  }
  /// The one cluster, another than its own, that reads a value, and can make it row by row.
  std::uint32_t sole_reader(ValueId value) const {
    const std::uint32_t from = clusters_.of[value];
    if (from == Clusters::none || clusters_.roles[value].terminal || users_[value].empty() || outputs_[value])
      return Clusters::none;
    const std::uint32_t to = clusters_.of[users_[value][0]];
    if (to == Clusters::none || to == from || clusters_.members[to].size() >= most_members) return Clusters::none;
    const std::int64_t rows = clusters_.rows[to], needed = clusters_.roles[value].rows, count = elements_of(value);
    if ((needed && needed != rows) || rows == 0 || count % rows != 0 || count / rows > max_columns)
      return Clusters::none;
    for (ValueId user : users_[value]) {
      if (clusters_.of[user] != to) return Clusters::none;
      const auto& inputs = program_.operations[user].inputs;
      for (std::size_t k = 0; k < inputs.size(); ++k)
        if (inputs[k] == value && !reads_by_row(program_, user, k, rows)) return Clusters::none;
    }
    return to;
  }

  /// Elements less that are written and read.
  std::int64_t saving(ValueId value, std::uint32_t reader) const {
    std::int64_t result = is_view(program_.operations[value]) ? 0 : 2 * elements_of(value);
    if (result == 0) return in_memory_[base_of(value)] ? 1 : 0;  // a window goes to who looks through it
    std::set<ValueId> seen;
    for (ValueId input : program_.operations[value].inputs) {
      const ValueId base = base_of(input);
      if (!seen.insert(base).second || read_[reader].contains(base)) continue;
      result -= elements_of(base) * (in_memory_[base] ? 1 : 2);
    }
    return result;
  }

  void move(ValueId value, std::uint32_t reader) {
    std::erase(clusters_.members[clusters_.of[value]], value);
    auto& members = clusters_.members[reader];
    members.insert(std::lower_bound(members.begin(), members.end(), value), value);
    clusters_.of[value] = reader;
    for (ValueId input : program_.operations[value].inputs) {
      in_memory_[base_of(input)] = true;
      read_[reader].insert(base_of(input));
    }
  }

  const Program& program_;
  Clusters& clusters_;
  std::vector<std::vector<ValueId>> users_;
  std::vector<bool> in_memory_, outputs_;
  std::vector<std::set<ValueId>> read_;  // by cluster: what lies in memory
};

}  // namespace

void move_to_readers(const Program& program, Clusters& clusters) { Mover(program, clusters).run(); }

}  // namespace lopt
