// Wrong input gets a sentence and an exit code, and leaves nothing behind.
#include "runner/support.h"

#include <zlib.h>

using namespace lopt::test;

namespace {

const std::string good = R"(name: test
seed: 1
steps: 2
task:
  plugin: mlp_classifier
  hidden: [8]
  batch_size: 16
  dataset: digits
learned_optimizer:
  plugin: per_parameter_mlp
  hidden: 4
estimator:
  plugin: pes
  tasks: 2
  unroll_length: 2
meta_optimizer: {plugin: adam, learning_rate: 0.001}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// Trains a spec of this text, and requires a code, words in the sentence, and no folder.
void require_refused(const std::string& spec, int code, const std::vector<std::string>& words,
                     const std::string& more = "") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", spec);
  const Result result = run("train " + file + " --out " + folder.file("run") + " " + more, 20);
  INFO(result.output);
  CHECK(result.code == code);
  CHECK(result.output.size() < 4000);
  for (const std::string& word : words) CHECK_THAT(result.output, Contains(word));
  CHECK(!fs::exists(folder.file("run")));
}

}  // namespace

TEST_CASE("the spec that the wrong ones are made from is right") {
  TemporaryFolder folder;
  const Result result = run("train " + folder.write("spec.yaml", good) + " --out " + folder.file("run"));
  INFO(result.output);
  CHECK(result.code == 0);
}

TEST_CASE("files that are no spec") {
  CHECK(run("train /nowhere/spec.yaml").code == 2);
  CHECK_THAT(run("train /nowhere/spec.yaml").output, Contains("/nowhere/spec.yaml") && Contains("No such file"));
  CHECK(run("train /tmp").code == 2);
  require_refused("", 2, {"empty"});
  require_refused("# only a comment\n", 2, {"empty"});
  require_refused("just text", 2, {"mapping"});
  require_refused("- a\n- b\n", 2, {"mapping"});
  require_refused("name: [unclosed\n", 2, {"spec.yaml:", "not YAML"});
  require_refused("[[:", 2, {"not YAML"});
  require_refused(std::string(10 << 20, '['), 2, {"bytes"});
  require_refused(std::string(100000, '['), 2, {"nested"});
  require_refused(std::string(5000, '{'), 2, {"nested"});
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  require_refused(nested, 2, {"nested"});
  std::string dashes;
  for (int i = 0; i < 5000; ++i) dashes += "- ";
  require_refused(dashes, 2, {"spec.yaml:1:"});
  require_refused("name: \"\xff\xfe\"\n", 2, {"spec.yaml:1:8", "UTF-8"});
  require_refused(std::string("a: \0b", 5), 2, {"control character"});
  require_refused("name: a\nname: b\n", 2, {"spec.yaml:2:1", "'name'", "second time"});
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    laughs += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) laughs += std::string(i ? ", " : "") + "*" + static_cast<char>(c - 1);
    laughs += "]\n";
  }
  require_refused(laughs, 2, {"anchors"});
}

TEST_CASE("values of the wrong type or range say where, what and what would be right") {
  require_refused(replaced(good, "steps: 2", "steps: many"), 2, {"spec.yaml:3:8", "steps", "a number", "'many'"});
  require_refused(replaced(good, "steps: 2", "steps: 0"), 2, {"steps", "at least 1", "'0'"});
  require_refused(replaced(good, "steps: 2", "steps: -3"), 2, {"steps", "at least 1"});
  require_refused(replaced(good, "steps: 2", "steps: 1.5"), 2, {"steps", "whole number"});
  require_refused(replaced(good, "steps: 2", "steps: .nan"), 2, {"steps", "finite"});
  require_refused(replaced(good, "steps: 2", "steps: 1e400"), 2, {"steps", "range"});
  require_refused(replaced(good, "steps: 2", "steps: [1]"), 2, {"steps", "a list"});
  require_refused(replaced(good, "steps: 2", "steps: 1e15"), 2, {"steps", "at most"});
  require_refused(replaced(good, "steps: 2\n", ""), 2, {"steps", "missing"});
  require_refused(replaced(good, "0.001}", "-1}"), 2, {"meta_optimizer.learning_rate", "above 0", "'-1'"});
  require_refused(replaced(good, "0.001}", ".inf}"), 2, {"meta_optimizer.learning_rate", "finite"});
  require_refused(replaced(good, "hidden: [8]", "hidden: wide"), 2, {"task.hidden", "list"});
  require_refused(replaced(good, "hidden: [8]", "hidden: {a: 8}"), 2, {"task.hidden", "list"});
  require_refused(replaced(good, "hidden: [8]", "hidden: [0]"), 2, {"spec.yaml:6:12", "task.hidden", "at least 1"});
  require_refused(replaced(good, "hidden: [8]", "hidden: [x]"), 2, {"task.hidden", "number"});
  require_refused(replaced(good, "hidden: [8]", "hidden: [65536, 65536]"), 2, {"2147483647 elements"});
  require_refused(replaced(good, "tasks: 2", "tasks: 1000000\n  problem_length: 5"), 2, {"memory"},
                  "'task.hidden=[4096]'");
  require_refused(replaced(good, "batch_size: 16", "batch_size: 100000000000"), 2, {"task.batch_size", "at most"});
  require_refused(replaced(good, "hidden: [8]", "activation: rellu"), 2,
                  {"task.activation", "relu, tanh, sigmoid", "did you mean 'relu'"});
  require_refused(replaced(good, "tasks: 2", "tasks: 2\n  as_in_tutorial: maybe"), 2,
                  {"estimator.as_in_tutorial", "true or false"});
  require_refused(replaced(good, "name: test", "name: ../x"), 2, {"name", "plain word"});
}

TEST_CASE("names that do not exist come with the closest that does") {
  require_refused(replaced(good, "seed: 1", "sead: 1"), 2, {"spec.yaml:2:7", "sead", "did you mean 'seed'"});
  require_refused(replaced(good, "unroll_length", "unroll_lenght"), 2,
                  {"estimator.unroll_lenght", "did you mean 'unroll_length'"});
  require_refused(replaced(good, "plugin: pes", "plugin: pess"), 2,
                  {"spec.yaml:13:11", "estimator.plugin", "did you mean 'pes'"});
  require_refused(replaced(good, "plugin: pes", "plugin: adam"), 2, {"'adam'", "optimizer", "estimator is needed"});
  require_refused(replaced(good, "dataset: digits", "dataset: digit"), 2,
                  {"task.dataset.plugin", "did you mean 'digits'"});
  require_refused(replaced(good, "plugin: pes\n", "plugin: [pes]\n"), 2, {"estimator.plugin"});
  require_refused(replaced(good, "meta_optimizer: {plugin: adam, learning_rate: 0.001}", ""), 2,
                  {"meta_optimizer", "missing"});
  require_refused(replaced(good, "estimator:", "optimizer: sgd\nestimator:"), 2, {"not both"});
}

TEST_CASE("all errors of a spec are reported at once") {
  TemporaryFolder folder;
  std::string text = replaced(replaced(replaced(good, "seed: 1", "sead: 1"), "tasks: 2", "tasks: 0"), "0.001}", "-1}");
  const Result result = run("check " + folder.write("spec.yaml", text));
  CHECK(result.code == 2);
  CHECK_THAT(result.output,
             Contains("sead") && Contains("estimator.tasks") && Contains("meta_optimizer.learning_rate"));
  CHECK(run("check " + folder.write("spec.yaml", good)).code == 0);
}

TEST_CASE("wrong use of the command line") {
  CHECK(run("").code == 2);
  CHECK_THAT(run("trian x").output, Contains("did you mean 'train'"));
  CHECK(run("trian x").code == 2);
  CHECK(run("train").code == 2);
  CHECK_THAT(run("train x.yaml --thread 2").output, Contains("--thread"));
  CHECK(run("train x.yaml --thread 2").code == 2);
  CHECK(run("train configs/tutorial/sgd.yaml --threads 0").code == 2);
  CHECK(run("train configs/tutorial/sgd.yaml nonsense").code == 2);
  CHECK(run("train configs/tutorial/sgd.yaml =3").code == 2);
  CHECK(run("train configs/tutorial/sgd.yaml steps.x=3").code == 2);
  CHECK(run("describe nothing_of_that_name").code == 2);
  CHECK(shell("env LOPT_TRAIN_LENGTH=x " + runner + " train configs/tutorial/sgd.yaml").code == 2);
  CHECK(run("--version").output == "lopt 1.0.0\n");
}

TEST_CASE("help: of each command, in lines that a terminal has room for") {
  std::vector<std::string> calls{"--help"};
  std::istringstream lines(run("--help").output);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("  ") && line[2] >= 'a' && line[2] <= 'z')
      calls.push_back(line.substr(2, line.find(' ', 2) - 2) + " --help");
  CHECK(calls.size() > 15);
  for (const std::string& call : calls) {
    INFO(call);
    const Result help = run(call);
    CHECK(help.code == 0);
    CHECK_THAT(help.output, Contains("Usage: lopt-run"));
    std::istringstream shown(help.output);
    for (std::string line; std::getline(shown, line);) {
      INFO(line);
      CHECK(std::count_if(line.begin(), line.end(),
                          [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }) <= 100);
    }
  }
}

TEST_CASE("plugin files that are none are refused with what they are") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", good);
  CHECK(run("train " + file + " --plugin-path /nowhere/x.so").code == 3);
  const std::string text = folder.write("text.so", "not a library");
  const Result result = run("train " + file + " --plugin-path " + text);
  CHECK(result.code == 3);
  CHECK_THAT(result.output, Contains(text) && Contains("no shared library"));
}

namespace {

std::string big_endian(std::uint32_t x) {
  return {static_cast<char>(x >> 24U), static_cast<char>(x >> 16U), static_cast<char>(x >> 8U), static_cast<char>(x)};
}
std::string idx(const std::vector<std::uint32_t>& lengths, std::size_t elements, char value = 1, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(lengths.size())};
  for (std::uint32_t length : lengths) bytes += big_endian(length);
  return bytes + std::string(elements, value);
}
std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("damaged IDX files are data errors") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", good);
  auto train = [&](const std::string& images, const std::string& labels) {
    folder.write("train-images-idx3-ubyte", images);
    folder.write("train-labels-idx1-ubyte", labels);
    const Result result = run("train " + file + " --out " + folder.file("run") + " --data " + folder.path(), 20);
    INFO(result.output);
    if (result.code != 0) CHECK(!fs::exists(folder.file("run")));
    return result;
  };
  const std::string images = idx({20, 4, 4}, 320), labels = idx({20}, 20);
  auto refused = [&](const std::string& bad_images, const std::string& bad_labels, const std::string& words) {
    const Result result = train(bad_images, bad_labels);
    INFO(result.output);
    CHECK(result.code == 4);
    CHECK_THAT(result.output, Contains(words) && Contains("idx"));
  };
  CHECK(run("train " + file + " --data /nowhere").code == 4);
  CHECK(run("train " + file + " --data " + folder.path()).code == 4);
  refused(images.substr(0, 100), labels, "84 follow");
  refused(images.substr(0, 9), labels, "cut short");
  refused("", labels, "no IDX");
  refused("hello, this is text", labels, "no IDX");
  refused(idx({20, 4, 4}, 320, 1, 0x0D), labels, "0x0d");
  refused(idx({20, 16}, 320), labels, "[20, 16]");
  refused(idx({0xffffffff, 0xffffffff, 0xffffffff}, 20), labels, "elements");
  refused(idx({0, 4, 4}, 0), idx({0}, 0), "[0, 4, 4]");
  refused(images, idx({19}, 19), "19 labels");
  refused(images, idx({20}, 20, 10), "beyond the 10 classes");
  refused(gzip(images).substr(0, 30), labels, "gzip");
  std::string flipped = gzip(images);
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 0x55);
  refused(flipped, labels, "gzip");
  CHECK(train(images, labels).code == 0);
}

TEST_CASE("npz files with other arrays than they should have are data errors") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", good);
  const std::string data = LOPT_GOLDEN "/data.npz", batches = LOPT_GOLDEN "/optimizers.npz";
  auto refused = [&](const std::string& d, const std::string& b, const std::string& words,
                     const std::string& more = "task.batch_size=128") {
    const Result result = run("train " + file + " --out " + folder.file("run") +
                                  " 'task.dataset={plugin: replay, data: " + d + ", batches: " + b + "}' " + more,
                              20);
    INFO(result.output);
    CHECK(result.code == 4);
    CHECK_THAT(result.output, Contains(words));
    CHECK(!fs::exists(folder.file("run")));
  };
  refused("/nowhere.npz", batches, "/nowhere.npz");
  refused(folder.write("text.npz", "text"), batches, "text.npz");
  refused(folder.write("short.npz", read_file(data).substr(0, 5000)), batches, "short.npz");
  std::string damaged = read_file(data);
  for (std::size_t i = 2000; i < 2100; ++i) damaged[i] = static_cast<char>(damaged[i] ^ 0xff);
  refused(folder.write("damaged.npz", damaged), batches, "damaged");
  refused(LOPT_GOLDEN "/resize.npz", batches, "no array 'images'");
  refused(data, data, "no array 'batches'");
  refused(data, batches, "batches of 128", "task.batch_size=16");
  refused(data, LOPT_GOLDEN "/truncated_es.npz", "task 8", "task.batch_size=128 estimator.tasks=9");
  refused(data, batches, "label", "task.batch_size=128 task.classes=5");
}

TEST_CASE("output that cannot be written") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", good);
  CHECK(run("train " + file + " --out /dev/null/run").code == 2);
  CHECK(run("train " + file + " --out /proc/run").code == 2);
  const std::string taken = folder.file("taken");
  fs::create_directory(taken);
  folder.write("taken/precious", "keep me");
  const Result result = run("train " + file + " --out " + taken);
  CHECK(result.code == 2);
  CHECK_THAT(result.output, Contains("never overwritten"));
  CHECK(read_file(taken + "/precious") == "keep me");
  const Result trace = run("train " + file + " --out " + folder.file("a") + " --trace /nowhere/t.npz");
  CHECK(trace.code == 1);
  CHECK_THAT(trace.output, Contains("/nowhere/t.npz"));
}

TEST_CASE("a full disk is a sentence, and files are whole or not there") {
  TemporaryFolder folder;
  const std::string file = folder.write("spec.yaml", good), disk = folder.file("disk");
  fs::create_directory(disk);
  if (shell("mount -t tmpfs -o size=16k tmpfs " + disk).code != 0) {
    WARN("no tmpfs can be mounted here: the full disk is not tested");
    return;
  }
  const Result result = run("train " + file + " steps=2000 --out " + disk + "/run -q");
  CHECK(result.code == 1);
  CHECK_THAT(result.output, Contains("cannot write") && Contains("No space left"));
  const std::string metrics = read_file(disk + "/run/metrics.jsonl");
  CHECK((metrics.empty() || metrics.back() == '\n'));
  for (const auto& entry : fs::directory_iterator(disk + "/run")) CHECK(entry.path().extension() != ".partial");
  shell("umount " + disk);
}
