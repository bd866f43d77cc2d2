// A window of the desktop, by GLFW. Its events go into our queue, not to ImGui.
#define GLFW_INCLUDE_NONE
#include <GL/gl.h>
#include <GLFW/glfw3.h>
#include <fmt/format.h>

#include <chrono>

#include "imgui_impl_opengl3.h"
#include "inspector/app/frontend/frontend.h"
#include "inspector/app/frontend/glfw_keys.h"

namespace mortem::inspector::app {
namespace {

class WindowFrontend : public Frontend {
 public:
  explicit WindowFrontend(const FrontendOptions& options)
      : options_(options), scale_(options.scale > 0 ? options.scale : 1) {}
  ~WindowFrontend() override {
    if (renderer_ready_) ImGui_ImplOpenGL3_Shutdown();
    for (GLFWcursor* cursor : cursors_)
      if (cursor) glfwDestroyCursor(cursor);
    if (window_) glfwDestroyWindow(window_);
    glfwTerminate();
  }

  Result<void> open() override {
    if (!glfwInit()) return glfw_failure("no window system answers");
    ready_ = true;
    glfwWindowHint(GLFW_CONTEXT_VERSION_MAJOR, 3);
    glfwWindowHint(GLFW_CONTEXT_VERSION_MINOR, 3);
    glfwWindowHint(GLFW_OPENGL_PROFILE, GLFW_OPENGL_CORE_PROFILE);
    glfwWindowHint(GLFW_SCALE_TO_MONITOR, GLFW_TRUE);
    glfwWindowHintString(GLFW_X11_CLASS_NAME, "mortem-inspector");
    int width = options_.width, height = options_.height;
    if (GLFWmonitor* monitor = glfwGetPrimaryMonitor()) {
      int x = 0, y = 0, wide = 0, high = 0;
      glfwGetMonitorWorkarea(monitor, &x, &y, &wide, &high);
      if (wide > 0 && high > 0) width = std::min(width, wide), height = std::min(height, high);
    }
    window_ = glfwCreateWindow(width, height, options_.title.c_str(), nullptr, nullptr);
    if (!window_) return glfw_failure("no window with OpenGL 3.3");
    glfwMakeContextCurrent(window_);
    glfwSwapInterval(1);
    glfwSetWindowUserPointer(window_, this);
    set_callbacks();
    set_up_imgui();
    if (options_.scale <= 0) glfwGetWindowContentScale(window_, &scale_, nullptr);
    renderer_ready_ = ImGui_ImplOpenGL3_Init("#version 330 core");
    if (!renderer_ready_) return failure(ErrorKind::System, "ImGui's OpenGL renderer did not start");
    return {};
  }

  void wait(double seconds, InputQueue& input) override {
    input_ = &input;
    if (seconds <= 0)
      glfwPollEvents();
    else
      glfwWaitEventsTimeout(seconds);
  }
  void wake() override {
    if (ready_) glfwPostEmptyEvent();  // else the first frame is still to come
  }

  void begin_frame() override {
    ImGuiIO& io = ImGui::GetIO();
    int width = 0, height = 0, pixels_wide = 0, pixels_high = 0;
    glfwGetWindowSize(window_, &width, &height);
    glfwGetFramebufferSize(window_, &pixels_wide, &pixels_high);
    io.DisplaySize = ImVec2(float(width), float(height));
    if (width > 0 && height > 0)
      io.DisplayFramebufferScale = ImVec2(float(pixels_wide) / float(width), float(pixels_high) / float(height));
    const double now = glfwGetTime();
    io.DeltaTime = last_frame_ > 0 ? float(std::max(now - last_frame_, 1e-5)) : 1.0f / 60;
    last_frame_ = now;
    show_cursor();
    ImGui_ImplOpenGL3_NewFrame();
  }

  void present(ImDrawData* data) override {
    int width = 0, height = 0;
    glfwGetFramebufferSize(window_, &width, &height);
    glViewport(0, 0, width, height);
    glClearColor(0, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    ImGui_ImplOpenGL3_RenderDrawData(data);
    glfwSwapBuffers(window_);
  }

  void forget_fonts() override {
    if (last_frame_ == 0) return;  // the first frame makes the texture
    ImGui_ImplOpenGL3_DestroyFontsTexture();
    ImGui_ImplOpenGL3_CreateFontsTexture();
  }
  bool asked_to_close() const override { return glfwWindowShouldClose(window_); }
  void set_title(const std::string& title) override { glfwSetWindowTitle(window_, title.c_str()); }
  float scale() const override { return scale_; }

 private:
  static Result<void> glfw_failure(const char* what) {
    const char* why = nullptr;
    glfwGetError(&why);
    return failure(ErrorKind::System, fmt::format("{} ({}); without a display: --egl --screenshot FILE.png", what,
                                                  why ? why : "GLFW does not say why"));
  }

  static WindowFrontend& of(GLFWwindow* window) {
    return *static_cast<WindowFrontend*>(glfwGetWindowUserPointer(window));
  }
  void push(InputEvent event) {
    if (input_) input_->push(std::move(event));
  }

  void set_callbacks() {
    using Kind = InputEvent::Kind;
    glfwSetCursorPosCallback(window_, [](GLFWwindow* window, double x, double y) {
      of(window).push({.kind = Kind::Move, .position = ImVec2(float(x), float(y))});
    });
    glfwSetMouseButtonCallback(window_, [](GLFWwindow* window, int button, int action, int) {
      if (button < 3) of(window).push({.kind = Kind::Button, .button = button, .down = action == GLFW_PRESS});
    });
    glfwSetScrollCallback(window_, [](GLFWwindow* window, double x, double y) {
      of(window).push({.kind = Kind::Wheel, .position = ImVec2(float(x), float(y))});
    });
    glfwSetKeyCallback(window_, [](GLFWwindow* window, int code, int scan, int action, int) {
      if (action == GLFW_REPEAT) return;  // ImGui repeats keys itself
      const ImGuiKey key = imgui_key(code, scan);
      if (key != ImGuiKey_None) of(window).push({.kind = Kind::Key, .key = key, .down = action == GLFW_PRESS});
    });
    glfwSetCharCallback(window_, [](GLFWwindow* window, unsigned character) {
      of(window).push({.kind = Kind::Character, .character = character});
    });
    glfwSetWindowFocusCallback(
        window_, [](GLFWwindow* window, int focused) { of(window).push({.kind = Kind::Focus, .down = focused != 0}); });
    glfwSetCursorEnterCallback(window_, [](GLFWwindow* window, int entered) {
      if (!entered) of(window).push({.kind = Kind::Move, .position = ImVec2(-FLT_MAX, -FLT_MAX)});
    });
    glfwSetDropCallback(window_, [](GLFWwindow* window, int count, const char** paths) {
      for (int index = 0; index < count; ++index) of(window).push({.kind = Kind::Drop, .path = paths[index]});
    });
  }

  void set_up_imgui() {
    ImGuiIO& io = ImGui::GetIO();
    io.BackendPlatformName = "glfw";
    io.BackendFlags |= ImGuiBackendFlags_HasMouseCursors;
    io.ClipboardUserData = window_;
    io.SetClipboardTextFn = [](void* window, const char* text) {
      glfwSetClipboardString(static_cast<GLFWwindow*>(window), text);
    };
    io.GetClipboardTextFn = [](void* window) { return glfwGetClipboardString(static_cast<GLFWwindow*>(window)); };
    const auto standard = [this](ImGuiMouseCursor cursor, int shape) {
      cursors_[cursor] = glfwCreateStandardCursor(shape);
    };
    standard(ImGuiMouseCursor_Arrow, GLFW_ARROW_CURSOR);
    standard(ImGuiMouseCursor_TextInput, GLFW_IBEAM_CURSOR);
    standard(ImGuiMouseCursor_ResizeNS, GLFW_VRESIZE_CURSOR);
    standard(ImGuiMouseCursor_ResizeEW, GLFW_HRESIZE_CURSOR);
    standard(ImGuiMouseCursor_Hand, GLFW_HAND_CURSOR);
    glfwGetError(nullptr);  // a desktop that lacks one of them is no error
  }

  void show_cursor() {
    const ImGuiMouseCursor wanted = ImGui::GetMouseCursor();
    if (wanted == shown_cursor_) return;
    shown_cursor_ = wanted;
    GLFWcursor* cursor = wanted >= 0 && wanted < ImGuiMouseCursor_COUNT ? cursors_[wanted] : nullptr;
    glfwSetCursor(window_, cursor ? cursor : cursors_[ImGuiMouseCursor_Arrow]);
  }

  const FrontendOptions options_;
  std::atomic<bool> ready_ = false;
  GLFWwindow* window_ = nullptr;
  InputQueue* input_ = nullptr;
  double last_frame_ = 0;
  float scale_;
  bool renderer_ready_ = false;
  GLFWcursor* cursors_[ImGuiMouseCursor_COUNT] = {};
  ImGuiMouseCursor shown_cursor_ = ImGuiMouseCursor_Arrow;
};

}  // namespace

std::unique_ptr<Frontend> window_frontend(const FrontendOptions& options) {
  return std::make_unique<WindowFrontend>(options);
}

}  // namespace mortem::inspector::app
