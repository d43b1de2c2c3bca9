#pragma once
// The files of a data set as downloads have them: train-images-idx3-ubyte, train-images.idx3-ubyte, either of them
// compressed or not, with the name of the set before (emnist-letters-train-images-idx3-ubyte.gz, qmnist-test-…), in the
// folder, in folders below it (MNIST/raw), or in one of the file's own name.

#include <lopt/dataset.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace lopt {

/// One of the four files of a set.
struct ImageFile {
  std::string set;   // what stands before "train" or "t10k", as in "emnist-letters"; often nothing
  std::string part;  // "train" or "test"
  std::string what;  // "images" or "labels"
};

/// What a file is by its name; an empty `what` for others.
inline ImageFile image_file_of(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.ends_with(".gz")) name.erase(name.size() - 3);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == '_'; }, '-');
  for (const char* what : {"images", "labels"})
    for (const auto& [word, part] : {std::pair{"train", "train"}, {"t10k", "test"}, {"test", "test"}}) {
      const std::string middle = std::string(word) + "-" + what + "-idx";
      const std::size_t at = name.find(middle);
      if (at == std::string::npos || (at > 0 && name[at - 1] != '-')) continue;
      const std::string rest = name.substr(at + middle.size());
      if (rest == "1-ubyte" || rest == "3-ubyte" || rest == "1" || rest == "3")
        return {name.substr(0, at > 0 ? at - 1 : 0), part, what};
    }
  return {};
}

/// The file of a part ("train" or "test") and kind ("images" or "labels") in a folder, or at most two folders below it,
/// of the set called `set` where that is not empty. Throws DataError, which lists what is there, where there is none,
/// or more than one.
inline std::string find_image_file(const std::string& folder, const std::string& set, const std::string& part,
                                   const std::string& what) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(folder, error)) throw DataError(folder + ": there is no such folder");
  std::map<int, std::map<std::string, std::string>> found;  // by depth; by folder and set, the file
  std::vector<std::string> names;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto entry = fs::recursive_directory_iterator(folder, options, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    if (entry.depth() >= 2) entry.disable_recursion_pending();
    if (!entry->is_regular_file(error)) continue;
    const std::string path = entry->path().string();
    names.push_back(fs::relative(entry->path(), folder, error).string());
    const ImageFile file = image_file_of(entry->path().filename().string());
    if (file.part != part || file.what != what || (!set.empty() && file.set != set)) continue;
    // A folder of the file's own name is the file, as some archives have it.
    const bool own = image_file_of(entry->path().parent_path().filename().string()).what == what;
    std::string& place = found[entry.depth() - own][entry->path().parent_path().string() + "/" + file.set];
    if (place.empty() || place.ends_with(".gz")) place = path;
  }
  std::sort(names.begin(), names.end());
  const auto list = [](const std::vector<std::string>& texts) {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(texts.size(), 12); ++i) text += (i ? ", " : "") + texts[i];
    return text + (texts.size() > 12 ? " and " + std::to_string(texts.size() - 12) + " more" : "");
  };
  const std::string digit = what == "images" ? "3" : "1", word = part == "train" ? "train" : "t10k";
  if (found.empty())
    throw DataError(folder + ": has no " + what + " for " + part + "; looked for " + (set.empty() ? "" : set + "-") +
                    word + "-" + what + "-idx" + digit +
                    "-ubyte, also with a dot, with .gz, with a name before it and in folders " + "below; it holds " +
                    (names.empty() ? "nothing" : list(names)));
  const auto& nearest = found.begin()->second;
  if (nearest.size() == 1) return nearest.begin()->second;
  std::vector<std::string> files;
  for (const auto& [place, file] : nearest) files.push_back(fs::relative(file, folder, error).string());
  throw DataError(folder + ": has more than one file of " + what + " for " + part + ": " + list(files) +
                  "; give the folder of one, or `set`, the name before `" + word + "`");
}

}  // namespace lopt
