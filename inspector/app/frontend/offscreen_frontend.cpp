// Draws into memory with Mesa's surfaceless EGL platform: no display, no window system, the same bytes every time.
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GL/gl.h>
#include <GL/glext.h>
#include <fmt/format.h>

#include "imgui_impl_opengl3.h"
#include "inspector/app/frontend/frontend.h"

namespace mortem::inspector::app {
namespace {

template <typename Function>
Function* procedure(const char* name) {
  return reinterpret_cast<Function*>(eglGetProcAddress(name));
}

Error egl_error(const char* what) {
  return {ErrorKind::System,
          fmt::format("no picture without a display: {} failed (EGL error {:#x}); is Mesa's software "
                      "driver installed (libgl1-mesa-dri, libegl-mesa0)?",
                      what, eglGetError())};
}

class OffscreenFrontend : public WindowlessFrontend {
 public:
  explicit OffscreenFrontend(const FrontendOptions& options) : WindowlessFrontend(options) {}
  ~OffscreenFrontend() override {
    if (renderer_ready_) ImGui_ImplOpenGL3_Shutdown();
    if (display_ == EGL_NO_DISPLAY) return;
    eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    if (context_ != EGL_NO_CONTEXT) eglDestroyContext(display_, context_);
    eglTerminate(display_);
  }

  Result<void> open() override {
    display_ = eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, nullptr);
    if (display_ == EGL_NO_DISPLAY) return tl::unexpected(egl_error("eglGetPlatformDisplay"));
    if (!eglInitialize(display_, nullptr, nullptr)) return tl::unexpected(egl_error("eglInitialize"));
    eglBindAPI(EGL_OPENGL_API);
    const EGLint wanted[] = {EGL_RENDERABLE_TYPE, EGL_OPENGL_BIT, EGL_SURFACE_TYPE, 0, EGL_NONE};
    EGLConfig config = nullptr;
    EGLint count = 0;
    if (!eglChooseConfig(display_, wanted, &config, 1, &count) || count == 0)
      return tl::unexpected(egl_error("eglChooseConfig"));
    const EGLint version[] = {
        EGL_CONTEXT_MAJOR_VERSION,           3,       EGL_CONTEXT_MINOR_VERSION, 3, EGL_CONTEXT_OPENGL_PROFILE_MASK,
        EGL_CONTEXT_OPENGL_CORE_PROFILE_BIT, EGL_NONE};
    context_ = eglCreateContext(display_, config, EGL_NO_CONTEXT, version);
    if (context_ == EGL_NO_CONTEXT) return tl::unexpected(egl_error("eglCreateContext"));
    if (!eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, context_))
      return tl::unexpected(egl_error("eglMakeCurrent"));
    TRY_VOID(make_target());
    renderer_ready_ = ImGui_ImplOpenGL3_Init("#version 330 core");
    if (!renderer_ready_) return failure(ErrorKind::System, "ImGui's OpenGL renderer did not start");
    return {};
  }

  void begin_frame() override {
    WindowlessFrontend::begin_frame();
    begun_ = true;
    ImGui_ImplOpenGL3_NewFrame();
  }
  void present(ImDrawData* data) override {
    glViewport(0, 0, options_.width, options_.height);
    glClearColor(0, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    ImGui_ImplOpenGL3_RenderDrawData(data);
  }
  void forget_fonts() override {
    if (!begun_) return;  // the first frame makes the texture
    ImGui_ImplOpenGL3_DestroyFontsTexture();
    ImGui_ImplOpenGL3_CreateFontsTexture();
  }

  Result<Picture> picture() const override {
    Picture picture{options_.width, options_.height, {}};
    const size_t row = size_t(options_.width) * 3;
    std::vector<uint8_t> from_bottom(row * options_.height);
    glPixelStorei(GL_PACK_ALIGNMENT, 1);
    glReadPixels(0, 0, options_.width, options_.height, GL_RGB, GL_UNSIGNED_BYTE, from_bottom.data());
    if (const GLenum error = glGetError(); error != GL_NO_ERROR)
      return failure(ErrorKind::System, fmt::format("glReadPixels failed (OpenGL error {:#x})", error));
    picture.pixels.resize(from_bottom.size());
    for (int y = 0; y < options_.height; ++y)
      std::copy_n(from_bottom.begin() + row * (options_.height - 1 - y), row, picture.pixels.begin() + row * y);
    return picture;
  }

 private:
  Result<void> make_target() {
    const auto generate_frames = procedure<void(GLsizei, GLuint*)>("glGenFramebuffers");
    const auto bind_frame = procedure<void(GLenum, GLuint)>("glBindFramebuffer");
    const auto generate_buffers = procedure<void(GLsizei, GLuint*)>("glGenRenderbuffers");
    const auto bind_buffer = procedure<void(GLenum, GLuint)>("glBindRenderbuffer");
    const auto store = procedure<void(GLenum, GLenum, GLsizei, GLsizei)>("glRenderbufferStorage");
    const auto attach = procedure<void(GLenum, GLenum, GLenum, GLuint)>("glFramebufferRenderbuffer");
    const auto status = procedure<GLenum(GLenum)>("glCheckFramebufferStatus");
    if (!generate_frames || !bind_frame || !generate_buffers || !bind_buffer || !store || !attach || !status)
      return failure(ErrorKind::Unsupported, "this OpenGL has no frame buffers of its own");
    GLuint frame = 0, buffer = 0;
    generate_frames(1, &frame);
    bind_frame(GL_FRAMEBUFFER, frame);
    generate_buffers(1, &buffer);
    bind_buffer(GL_RENDERBUFFER, buffer);
    store(GL_RENDERBUFFER, GL_RGBA8, options_.width, options_.height);
    attach(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, buffer);
    if (status(GL_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE)
      return failure(ErrorKind::System,
                     fmt::format("a picture of {} x {} is not possible here", options_.width, options_.height));
    return {};
  }

  EGLDisplay display_ = EGL_NO_DISPLAY;
  EGLContext context_ = EGL_NO_CONTEXT;
  bool renderer_ready_ = false, begun_ = false;
};

}  // namespace

std::unique_ptr<Frontend> offscreen_frontend(const FrontendOptions& options) {
  return std::make_unique<OffscreenFrontend>(options);
}

}  // namespace mortem::inspector::app
