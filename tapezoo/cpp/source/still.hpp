// In the place of `Glide`, for a net without controls.

class Still {
 public:
  void aim(const float*) noexcept {}
  bool moves() const noexcept { return false; }
  void follow(float*, int, int) noexcept {}
};
