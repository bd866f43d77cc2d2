// What those without a window share; and the one without a picture: ImGui lays everything out, nobody draws it.
#include <chrono>

#include "inspector/app/frontend/frontend.h"

namespace mortem::inspector::app {

Result<Picture> Frontend::picture() const {
  return failure(ErrorKind::Unsupported, "there is no picture without --egl");
}

void WindowlessFrontend::wait(double seconds, InputQueue&) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return awake_; });
  awake_ = false;
}

void WindowlessFrontend::wake() {
  {
    const std::lock_guard lock(mutex_);
    awake_ = true;
  }
  changed_.notify_all();
}

void WindowlessFrontend::begin_frame() {
  ImGuiIO& io = ImGui::GetIO();
  io.DisplaySize = ImVec2(float(options_.width), float(options_.height));
  io.DeltaTime = 1.0f / 60;
}

namespace {

class NullFrontend : public WindowlessFrontend {
 public:
  explicit NullFrontend(const FrontendOptions& options) : WindowlessFrontend(options) {
    ImGuiIO& io = ImGui::GetIO();
    io.BackendPlatformName = io.BackendRendererName = "none";
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
    forget_fonts();
  }
  void present(ImDrawData*) override {}
  void forget_fonts() override {
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsAlpha8(&pixels, &width, &height);
  }
};

}  // namespace

std::unique_ptr<Frontend> null_frontend(const FrontendOptions& options) {
  return std::make_unique<NullFrontend>(options);
}

}  // namespace mortem::inspector::app
