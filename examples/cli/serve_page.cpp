#include "serve_page.hpp"

#include <minicnn/report/chart.hpp>
#include <string_view>

#include "photo_page.hpp"  // examples/web/page.html as `photo_page`, made by CMake

namespace cli {

namespace {

/// How the page asks: here, by a form to the program that sent it.
constexpr std::string_view ask_this_program = R"(const token=new URLSearchParams(location.search).get('token');
async function answer(file,explain){
 const form=new FormData();form.append('file',file,file.name||'pasted');
 const r=await fetch('predict?top=5'+(explain?'&explain=1':''),{method:'POST',body:form,headers:token?{Authorization:'Bearer '+token}:{}});
 const text=await r.json();return text.predictions?text.predictions[0]:{error:text.error||r.statusText};
})";

void replace(std::string& page, std::string_view mark, std::string_view text) {
  page.replace(page.find(mark), mark.size(), text);
}

}  // namespace

std::string serve_page(const model_info& info, std::int64_t max_bytes) {
  std::string classes;
  for (std::size_t i = 0; i < info.classes.size() && i < 12; ++i) classes += (i == 0 ? "" : ", ") + info.classes[i];
  if (info.classes.size() > 12) classes += minicnn::text_of(" and ", info.classes.size() - 12, " more");
  std::string page(photo_page);
  // From the end to the beginning: what is put in is not searched.
  replace(page, "@ANSWER@", minicnn::text_of("const LIMIT=", max_bytes, ";\n", ask_this_program));
  replace(page, "@NOSCRIPT@", " From a shell: curl --data-binary @photo.jpg ADDRESS/predict");
  replace(page, "@PLACE@", "They are sent to this minicnn and nowhere else.");
  replace(page, "@NOTE@",
          minicnn::text_of(minicnn::html_escape(minicnn::model_title(info.config)), ", ", info.transform.size, "x",
                           info.transform.size, " pixels, tells apart: ", minicnn::html_escape(classes)));
  return page;
}

}  // namespace cli
