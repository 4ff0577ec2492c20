// What a recurrent layer gives, as rows.
template <int COUNT, int UNITS>
void spread_rows(const Features<UNITS>& features, float* rows, int samples) noexcept {
  for (int n = 0; n < samples; ++n)
    for (int unit = 0; unit < COUNT; ++unit) rows[unit * CHUNK + n] = features.of(n)[unit];
}
