#include "report/page.h"

#include "page_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace lopt {
namespace {

constexpr std::string_view page_file(std::string_view path) {
  for (const page::File& file : page::files)
    if (path == file.path) return file.content;
  return {};
}
static_assert(!page_file("page.css").empty() && !page_file("page.js").empty());

}  // namespace

std::string html_escaped(const std::string& text) {
  std::string result;
  for (const char c : text)
    result += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

void Page::verdict(const std::vector<std::string>& sentences) {
  body_ += "<div class=\"verdict\">";
  for (const std::string& sentence : sentences) body_ += fmt::format("<p>{}</p>", html_escaped(sentence));
  body_ += "</div>\n";
}

void Page::heading(const std::string& text, int level) {
  body_ += fmt::format("<h{0}>{1}</h{0}>\n", level, html_escaped(text));
}

void Page::paragraph(const std::string& text) { body_ += fmt::format("<p>{}</p>\n", html_escaped(text)); }

void Page::chart(Json chart) {
  body_ += fmt::format("<figure data-chart=\"{}\"></figure>\n", data_["charts"].size());
  data_["charts"].push_back(std::move(chart));
}

void Page::maps(const std::string& caption, Json maps) {
  body_ += fmt::format("<figure><figcaption>{}</figcaption><div class=\"maps\" data-maps=\"{}\"></div></figure>\n",
                       html_escaped(caption), data_["maps"].size());
  data_["maps"].push_back(std::move(maps));
}

void Page::images(Json images) {
  body_ += fmt::format("<figure><div class=\"images\" data-images=\"{}\"></div></figure>\n", data_["images"].size());
  data_["images"].push_back(std::move(images));
}

void Page::picture(const std::string& svg) { body_ += "<figure class=\"picture\">" + svg + "</figure>\n"; }

void Page::table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  const auto is_number = [](const std::string& cell) {
    return cell.empty() || std::isdigit(static_cast<unsigned char>(cell[0])) || cell[0] == '-' || cell[0] == '+';
  };
  std::vector<bool> numbers(head.size(), !rows.empty());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size() && i < numbers.size(); ++i) numbers[i] = numbers[i] && is_number(row[i]);
  const auto line = [&](const std::vector<std::string>& cells, const char* tag) {
    std::string text = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += fmt::format("<{0}{1}>{2}</{0}>", tag, i < numbers.size() && numbers[i] ? " class=\"number\"" : "",
                          html_escaped(cells[i]));
    return text + "</tr>\n";
  };
  body_ += "<div class=\"wide\" tabindex=\"0\"><table>" + line(head, "th");
  for (const auto& row : rows) body_ += line(row, "td");
  body_ += "</table></div>\n";
}

void Page::folded(const std::string& summary, const std::string& text) {
  body_ += fmt::format("<details><summary>{}</summary><pre tabindex=\"0\">{}</pre></details>\n", html_escaped(summary),
                       html_escaped(text));
}

void Page::code(const std::string& text) { body_ += fmt::format("<pre tabindex=\"0\">{}</pre>\n", html_escaped(text)); }

std::string Page::html() const {
  // "</" would end the script that holds the data.
  std::string data = to_text(data_);
  for (std::size_t at = data.find("</"); at != std::string::npos; at = data.find("</", at + 3))
    data.insert(at + 1, "\\");
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n"
      "<link rel=\"icon\" href=\"data:,\">\n<style>\n{1}</style>\n</head>\n<body>\n<header><h1>{0}</h1></header>\n"
      "<main>\n{2}<noscript><p>The curves of this page are drawn by a script, which is in the page; it is not "
      "running.</p></noscript>\n</main>\n"
      "<script id=\"data\" type=\"application/json\">{3}</script>\n<script>\n{4}</script>\n</body>\n</html>\n",
      html_escaped(title_), page_file("page.css"), body_, data, page_file("page.js"));
}

}  // namespace lopt
