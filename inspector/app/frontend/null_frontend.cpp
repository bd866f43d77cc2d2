// No picture: ImGui lays everything out, nobody draws it. A frame is 1/60 s, whatever the clock says.
#include <chrono>

#include "inspector/app/frontend/frontend.h"

namespace mortem::inspector::app {

Result<Picture> Frontend::picture() const {
  return failure(ErrorKind::Unsupported, "there is no picture without --egl");
}

void WakeUp::wait(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return awake_; });
  awake_ = false;
}

void WakeUp::wake() {
  {
    const std::lock_guard lock(mutex_);
    awake_ = true;
  }
  changed_.notify_all();
}

namespace {

class NullFrontend : public Frontend {
 public:
  explicit NullFrontend(const FrontendOptions& options) : options_(options) {
    ImGuiIO& io = ImGui::GetIO();
    io.BackendPlatformName = io.BackendRendererName = "none";
    io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
    forget_fonts();
  }
  void wait(double seconds, InputQueue&) override { wake_up_.wait(seconds); }
  void wake() override { wake_up_.wake(); }
  void begin_frame() override {
    ImGuiIO& io = ImGui::GetIO();
    io.DisplaySize = ImVec2(float(options_.width), float(options_.height));
    io.DeltaTime = 1.0f / 60;
  }
  void present(ImDrawData*) override {}
  void forget_fonts() override {
    unsigned char* pixels = nullptr;
    int width = 0, height = 0;
    ImGui::GetIO().Fonts->GetTexDataAsAlpha8(&pixels, &width, &height);
  }
  float scale() const override { return options_.scale > 0 ? options_.scale : 1; }

 private:
  FrontendOptions options_;
  WakeUp wake_up_;
};

}  // namespace

std::unique_ptr<Frontend> open_null(const FrontendOptions& options) { return std::make_unique<NullFrontend>(options); }

}  // namespace mortem::inspector::app
