// Where frames go and input comes from: a window, a picture without a display, or nothing at all (scripted tests).
#pragma once

#include <imgui.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "inspector/app/frontend/picture.h"
#include "inspector/app/input/input_queue.h"
#include "snapshot/result.h"

namespace mortem::inspector::app {

struct FrontendOptions {
  int width = 1440, height = 900;
  float scale = 0;  // of fonts and distances; 0: what the display says
  std::string title;
};

class Frontend {
 public:
  virtual ~Frontend() = default;
  // Before the first frame. Until then only wake() and scale() are called, from any thread and of this one.
  virtual Result<void> open() { return {}; }
  // Returns when there is input, after wake() or after `seconds`.
  virtual void wait(double seconds, InputQueue& input) = 0;
  virtual void wake() = 0;  // from any thread
  // Size of the picture and the time since the last frame, for ImGui; before ImGui::NewFrame.
  virtual void begin_frame() = 0;
  virtual void present(ImDrawData* data) = 0;
  virtual void forget_fonts() = 0;  // they were built anew; before the first frame, too
  virtual bool asked_to_close() const { return false; }
  virtual void set_title(const std::string&) {}
  virtual float scale() const = 0;          // a window knows its display's only when it is open
  virtual Result<Picture> picture() const;  // of the last frame that was presented
};

// ImGui's context must be there.
std::unique_ptr<Frontend> window_frontend(const FrontendOptions& options);
std::unique_ptr<Frontend> offscreen_frontend(const FrontendOptions& options);
std::unique_ptr<Frontend> null_frontend(const FrontendOptions& options);

// Those without a window: they get no input of their own, and a frame is 1/60 s, whatever the clock says.
class WindowlessFrontend : public Frontend {
 public:
  explicit WindowlessFrontend(const FrontendOptions& options) : options_(options) {}
  void wait(double seconds, InputQueue&) override;
  void wake() override;
  void begin_frame() override;
  float scale() const override { return options_.scale > 0 ? options_.scale : 1; }

 protected:
  const FrontendOptions options_;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool awake_ = false;
};

}  // namespace mortem::inspector::app
