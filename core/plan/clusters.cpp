#include "plan/clusters.h"

#include <algorithm>
#include <unordered_set>

namespace lopt {
namespace {

/// Clusters as a graph; merging keeps it free of cycles.
class Merger {
 public:
  Merger(const Program& program, Clusters& clusters) : program_(program), clusters_(clusters) {
    const std::size_t count = program.operations.size();
    parent_.resize(count);
    for (ValueId i = 0; i < count; ++i) {
      parent_[i] = i;
      const RowRole& role = clusters.roles[i];
      const bool is_layer = role.fusable && program.operations[i].primitive->fusion == Fusion::matmul;
      sets_.push_back({{i},
                       {},
                       role.rows,
                       role.fusable ? row_elements(i) : 0,
                       is_layer && role.elements / role.rows > max_columns,
                       i,
                       i});
    }
    for (ValueId i = 0; i < count; ++i)
      for (ValueId input : program.operations[i].inputs) {
        sets_[input].consumers.push_back(i);
      }
  }

  void run() {
    merge_all([&](ValueId i, ValueId input) { return !sums_columns(i) && !sums_columns(input); });
    for (ValueId i = 0; i < program_.operations.size(); ++i)
      if (sums_columns(i) && is_apart(i)) clusters_.roles[i] = {};
    is_first_pass_ = false;
    merge_all([&](ValueId i, ValueId input) { return sums_columns(i) || sums_columns(input); });
    join_readers();
  }

  void write() {
    for (ValueId i = 0; i < program_.operations.size(); ++i) {
      const ValueId root = find(i);
      if (!clusters_.roles[i].fusable) continue;
      if (root_cluster_.size() <= root) root_cluster_.resize(root + 1, Clusters::none);
      if (root_cluster_[root] == Clusters::none) {
        root_cluster_[root] = static_cast<std::uint32_t>(clusters_.members.size());
        clusters_.members.emplace_back();
        clusters_.rows.push_back(sets_[root].rows ? sets_[root].rows : sets_[root].elements);
      }
      clusters_.of[i] = root_cluster_[root];
      clusters_.members[root_cluster_[root]].push_back(i);
    }
  }

 private:
  struct Set {
    std::vector<ValueId> members;
    std::vector<ValueId> consumers;  // of its members, outside it; any member of a set stands for it
    std::int64_t rows = 0;           // 0: not fixed
    std::int64_t elements = 0;       // most elements of a value, where the rows are not fixed
    bool has_wide_layer = false;
    ValueId first = 0, last = 0;  // in program order
  };

  std::int64_t row_elements(ValueId i) const { return clusters_.roles[i].elements; }

  template <class Takes>
  void merge_all(Takes takes) {
    for (ValueId i = 0; i < program_.operations.size(); ++i)
      if (clusters_.roles[i].fusable)
        for (ValueId input : program_.operations[i].inputs)
          if (takes(i, input)) try_merge(input, i);
  }

  /// A sum or maximum over columns, which gives what it is merged with rows of these columns.
  bool sums_columns(ValueId i) const {
    return clusters_.roles[i].fusable && !clusters_.roles[i].terminal &&
           program_.operations[i].primitive->fusion == Fusion::reduction;
  }
  /// True if what makes its input element by element reads and writes so much memory that turning all that into columns
  /// would cost more than reading the input once again.
  bool is_apart(ValueId reduction) {
    constexpr std::size_t most = 10;
    const ValueId root = find(program_.operations[reduction].inputs[0]);
    const Set& set = sets_[root];
    if (set.rows != 0 || set.elements == 0) return false;
    std::unordered_set<ValueId> in_memory;
    for (ValueId member : set.members)
      for (ValueId input : program_.operations[member].inputs)
        if (find(input) != root && size_of(program_, input) == set.elements) in_memory.insert(input);
    for (ValueId consumer : set.consumers)
      if (find(consumer) != root && consumer != reduction)
        for (ValueId input : program_.operations[consumer].inputs)
          if (find(input) == root) in_memory.insert(input);
    return in_memory.size() > most;
  }

  ValueId find(ValueId i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }

  bool rows_agree(const Set& a, const Set& b) const {
    if (a.rows && b.rows) return a.rows == b.rows;
    if (!a.rows && !b.rows) return a.elements == b.elements;
    const std::int64_t rows = a.rows ? a.rows : b.rows, elements = a.rows ? b.elements : a.elements;
    return elements % rows == 0 &&
           elements / rows <= (a.has_wide_layer || b.has_wide_layer ? max_layer_columns : max_columns);
  }

  /// Every value that goes from a to b can be handed over row by row.
  bool hands_over(const Set& b, ValueId root_a, std::int64_t rows) {
    for (ValueId consumer : b.members) {
      const auto& inputs = program_.operations[consumer].inputs;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (find(inputs[i]) != root_a) continue;
        if (clusters_.roles[inputs[i]].terminal || !reads_by_row(program_, consumer, i, rows)) return false;
      }
    }
    return true;
  }

  /// A way from a to b through a third set, of sets that begin at most at `limit`; also true where it takes too long to
  /// find out, as it does for sets that lie far apart in a long program.
  bool other_path(ValueId a, ValueId b, ValueId limit) {
    constexpr std::size_t most_visits = 256;
    std::vector<ValueId> pending;
    std::unordered_set<ValueId> seen;
    auto visit = [&](const Set& set, bool start) {
      for (ValueId consumer : set.consumers) {
        const ValueId next = find(consumer);
        if (next == a || (start && next == b) || sets_[next].first > limit) continue;
        if (seen.insert(next).second) pending.push_back(next);
      }
    };
    visit(sets_[a], true);
    while (!pending.empty()) {
      const ValueId at = pending.back();
      pending.pop_back();
      if (at == b || seen.size() > most_visits) return true;
      visit(sets_[at], false);
    }
    return false;
  }

  void try_merge(ValueId producer, ValueId consumer) {
    ValueId a = find(producer), b = find(consumer);
    if (a == b || !clusters_.roles[producer].fusable) return;
    if (sets_[a].members.size() + sets_[b].members.size() > most_members) return;
    const std::int64_t rows = sets_[a].rows ? sets_[a].rows : sets_[b].rows;
    if (!rows_agree(sets_[a], sets_[b]) || !hands_over(sets_[b], a, rows)) return;
    // In the first pass no set has members behind this consumer yet, but for those alone.
    if (other_path(a, b, is_first_pass_ ? sets_[b].last : static_cast<ValueId>(program_.operations.size()))) return;
    merge(a, b, rows);
  }

  /// Work element by element that reads the same values runs together, though neither part needs the other: what comes
  /// from memory is read once. Parts with rows of several columns stay apart: together they would fill the cache.
  void join_readers() {
    std::vector<ValueId> reader(program_.operations.size(), Clusters::none);  // of each value, the last set seen
    for (ValueId i = 0; i < program_.operations.size(); ++i) {
      if (!clusters_.roles[i].fusable) continue;
      for (const ValueId input : program_.operations[i].inputs) {
        const ValueId set = find(i);
        if (sets_[set].rows != 0 || size_of(program_, input) != sets_[set].elements || find(input) == set) continue;
        if (is_number_for_many(program_, input)) continue;
        if (reader[input] != Clusters::none) try_join(find(reader[input]), set);
        reader[input] = i;
      }
    }
  }
  void try_join(ValueId a, ValueId b) {
    if (a == b || sets_[a].rows != 0 || sets_[b].rows != 0 || sets_[a].elements != sets_[b].elements) return;
    if (sets_[a].members.size() + sets_[b].members.size() > most_members) return;
    const auto end = static_cast<ValueId>(program_.operations.size());
    if (hands_on(a, b) || hands_on(b, a) || other_path(a, b, end) || other_path(b, a, end)) return;
    merge(a, b, 0);
  }
  bool hands_on(ValueId a, ValueId b) {
    return std::any_of(sets_[a].consumers.begin(), sets_[a].consumers.end(), [&](ValueId c) { return find(c) == b; });
  }

  void merge(ValueId a, ValueId b, std::int64_t rows) {
    if (sets_[a].members.size() > sets_[b].members.size()) std::swap(a, b);  // the smaller one moves
    Set& into = sets_[b];
    Set& from = sets_[a];
    into.members.insert(into.members.end(), from.members.begin(), from.members.end());
    into.consumers.insert(into.consumers.end(), from.consumers.begin(), from.consumers.end());
    into.rows = rows;
    into.elements = std::max(into.elements, from.elements);
    into.has_wide_layer = into.has_wide_layer || from.has_wide_layer;
    into.first = std::min(into.first, from.first);
    into.last = std::max(into.last, from.last);
    from = Set{};
    parent_[a] = b;
    std::erase_if(into.consumers, [&](ValueId c) { return find(c) == b; });
  }

  const Program& program_;
  Clusters& clusters_;
  std::vector<ValueId> parent_;
  std::vector<Set> sets_;
  std::vector<std::uint32_t> root_cluster_;
  bool is_first_pass_ = true;
};

}  // namespace

bool reads_by_row(const Program& program, ValueId operation, std::size_t input, std::int64_t rows) {
  const Operation& op = program.operations[operation];
  if (op.primitive->fusion == Fusion::matmul) return input == 0 || std::get<Transposed>(op.attributes).a;
  if (op.primitive->name == "broadcast") {
    const std::int64_t source = element_count(program.type(op.inputs[0]).shape);
    return source == element_count(op.type.shape) || (rows > 0 && source % rows == 0);
  }
  return true;
}

namespace {

/// Columns from which on a row is whole vectors, so that sums over it are as fast where it lies.
constexpr std::int64_t many_columns = 16;

/// Rows of many columns stay as they lie in memory, unless layers work on as many rows: what goes element by element
/// needs no columns, sums over rows stand alone, and what is the same in a row is read again and again. To turn such
/// rows into columns and back costs more than to read them once more.
void keep_rows(const Program& program, Clusters& clusters) {
  std::unordered_set<std::int64_t> of_layers;
  for (ValueId i = 0; i < program.operations.size(); ++i)
    if (clusters.roles[i].fusable && program.operations[i].primitive->fusion == Fusion::matmul)
      of_layers.insert(clusters.roles[i].rows);
  for (ValueId i = 0; i < program.operations.size(); ++i) {
    RowRole& role = clusters.roles[i];
    const Operation& op = program.operations[i];
    const bool by_row = op.primitive->fusion == Fusion::reduction || op.primitive->name == "broadcast";
    if (role.fusable && by_row && role.rows > 0 && role.elements / role.rows >= many_columns &&
        !of_layers.contains(role.rows))
      role = {};
  }
}

/// Finds what follows products that stand alone, and takes it out of the clusters.
void find_product_ends(const Program& program, Clusters& clusters) {
  constexpr ValueId many = ~0U;
  std::vector<ValueId> sole_user(program.operations.size(), many);
  std::vector<int> uses(program.operations.size(), 0);
  for (ValueId i = 0; i < program.operations.size(); ++i)
    for (ValueId input : program.operations[i].inputs) {
      ++uses[input];
      sole_user[input] = i;
    }
  for (ValueId output : program.outputs) uses[output] += 2;
  auto next = [&](ValueId value, std::string_view name) {
    return uses[value] == 1 && program.operations[sole_user[value]].primitive->name == name;
  };
  for (ValueId product = 0; product < program.operations.size(); ++product) {
    if (program.operations[product].primitive->fusion != Fusion::matmul || clusters.roles[product].fusable) continue;
    ProductEnd end;
    end.end = product;
    clusters.products[product] = end;
    if (size_of(program, program.operations[product].inputs[0]) == 0 || size_of(program, product) == 0) continue;
    if (next(product, "add")) {
      const Operation& add = program.operations[sole_user[product]];
      const ValueId other = add.inputs[0] == product ? add.inputs[1] : add.inputs[0];
      const Operation& bias = program.operations[other];
      if (bias.primitive->name == "broadcast" && size_of(program, bias.inputs[0]) == add.type.shape[1] &&
          program.type(bias.inputs[0]).shape.back() == add.type.shape[1]) {
        end.end = sole_user[product];
        end.has_bias = true;
        end.bias = other;
      }
    }
    if (next(end.end, "relu")) {
      end.relu = true;
      end.end = sole_user[end.end];
    }
    if (next(end.end, "where_positive") && program.operations[sole_user[end.end]].inputs[1] == end.end) {
      end.gate = program.operations[sole_user[end.end]].inputs[0];
      end.end = sole_user[end.end];
    }
    for (ValueId value = product; value != end.end; value = sole_user[value]) {
      clusters.product_of[sole_user[value]] = product;
      clusters.roles[sole_user[value]] = {};
    }
    clusters.products[product] = end;
  }
}

}  // namespace

Clusters find_clusters(const Program& program) {
  Clusters clusters;
  for (ValueId i = 0; i < program.operations.size(); ++i) clusters.roles.push_back(role_of(program, i));
  find_product_ends(program, clusters);
  keep_rows(program, clusters);
  clusters.of.assign(program.operations.size(), Clusters::none);
  Merger merger(program, clusters);
  merger.run();
  merger.write();
  move_to_readers(program, clusters);
  return clusters;
}

}  // namespace lopt
