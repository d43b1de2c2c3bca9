#include "gradient/bound_body.h"

#include <fmt/format.h>

#include <unordered_set>

namespace lopt {
namespace {

/// The outputs with other tensors in the place of some nodes.
std::vector<Tensor> substituted(const std::vector<Tensor>& outputs, std::unordered_map<const Node*, Tensor> with) {
  for (const Tensor& tensor : nodes_in_order(outputs, [&](const Node* node) { return with.contains(node); })) {
    const Node& node = *tensor.node();
    std::vector<Tensor> inputs;
    bool changed = false;
    for (const Tensor& input : node.inputs) {
      inputs.push_back(with.at(input.node().get()));
      changed = changed || inputs.back().node() != input.node();
    }
    with.emplace(&node, changed ? apply(*node.primitive, std::move(inputs), node.attributes) : tensor);
  }
  std::vector<Tensor> result;
  for (const Tensor& output : outputs) result.push_back(with.at(output.node().get()));
  return result;
}

bool is_constant(const Tensor& x) { return x.node()->primitive == &constant_primitive; }

/// What a step uses that does not depend on its carry and slices comes in as a constant, computed once outside.
void hoist(BoundBody& scan) {
  ScanBody& body = scan.body;
  std::unordered_map<const Node*, Tensor> own;
  for (const Tensor& input : body.inputs()) own.emplace(input.node().get(), input);
  std::unordered_set<const Node*> varies;
  for (const auto* list : {&body.carry, &body.slices})
    for (const Tensor& input : *list) varies.insert(input.node().get());
  const std::vector<Tensor> outputs = body.outputs(),
                            order = nodes_in_order(outputs, [&](const Node*node) { return own.contains(node); });
  std::unordered_set<const Node*> inside;  // nodes that depend on constants of the body's own
  for (const Tensor& input : body.constants) inside.insert(input.node().get());
  for (const Tensor& tensor : order)
    for (const Tensor& input : tensor.node()->inputs) {
      if (varies.contains(input.node().get())) varies.insert(tensor.node().get());
      if (inside.contains(input.node().get())) inside.insert(tensor.node().get());
    }
  std::unordered_map<const Node*, Tensor> with = own;
  const auto come_in = [&](const Tensor& wanted) {
    std::vector<Tensor> pending{wanted};
    while (!pending.empty()) {
      const Tensor x = pending.back();
      const Node* node = x.node().get();
      pending.pop_back();
      if (varies.contains(node) || inside.contains(node) || is_constant(x) || with.contains(node)) continue;
      if (node->primitive->fusion == Fusion::view) {  // costs nothing inside, and memory outside
        pending.insert(pending.end(), node->inputs.begin(), node->inputs.end());
        continue;
      }
      Tensor input = make_input(fmt::format("constant{}", body.constants.size()), x.type());
      body.constants.push_back(input);
      scan.constants.push_back(x);
      with.emplace(node, std::move(input));
    }
  };
  for (const Tensor& tensor : order)
    if (varies.contains(tensor.node().get()) || inside.contains(tensor.node().get()))
      for (const Tensor& input : tensor.node()->inputs) come_in(input);
  for (const Tensor& output : outputs) come_in(output);
  substitute_outputs(body, std::move(with));
}

/// Sequences and constants that no output needs go.
void prune(BoundBody& scan) {
  std::unordered_set<const Node*> used;
  for (const Tensor& tensor : nodes_in_order(scan.body.outputs())) used.insert(tensor.node().get());
  auto drop = [&](std::vector<Tensor>& inputs, std::vector<Tensor>& values) {
    std::vector<Tensor> kept, kept_values;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (used.contains(inputs[i].node().get())) {
        kept.push_back(inputs[i]);
        kept_values.push_back(values[i]);
      }
    inputs = std::move(kept);
    values = std::move(kept_values);
  };
  drop(scan.body.slices, scan.sequences);
  drop(scan.body.constants, scan.constants);
}

/// Products that a gradient would need again are stacked, but for those that are larger than what they are made of, or
/// wanted as sums alone.
void keep_products(ScanBody& body) {
  std::unordered_set<const Node*> sums;
  for (const Tensor& sum : body.summed) sums.insert(sum.node().get());
  for (const Tensor& tensor : nodes_in_order(body.outputs())) {
    const Node& node = *tensor.node();
    if ((node.primitive->fusion != Fusion::matmul && node.primitive->fusion != Fusion::products) ||
        sums.contains(&node))
      continue;
    std::int64_t factors = 0;
    for (const Tensor& input : node.inputs) factors += element_count(input.shape());
    if (element_count(node.type.shape) > factors) continue;
    body.stacked.push_back(tensor);
    ++body.products;
  }
}

}  // namespace

void substitute_outputs(ScanBody& body, std::unordered_map<const Node*, Tensor> with) {
  const std::vector<Tensor> changed = substituted(body.outputs(), std::move(with));
  auto next = changed.begin();
  for (auto* list : {&body.next, &body.stacked, &body.summed})
    for (Tensor& output : *list) output = *next++;
}

void close_body(BoundBody& scan) {
  hoist(scan);
  prune(scan);
  if (scan.keeps_products) keep_products(scan.body);
}

}  // namespace lopt
