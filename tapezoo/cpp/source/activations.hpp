// tanh and the logistic function, as ratios of products.
//
// Exact: tanh within 6e-7 of itself, the logistic function within 2e-7. With TAPEZOO_FAST_TANH both are within 8e-4, in about
// half of the steps.

struct Ratio {
  vec over, under;
};

// tanh(x), |x| <= 8, as the ratio of c x (x^2 + a_1)(x^2 + a_2)(x^2 + a_3) and (x^2 + b_1) ... (x^2 + b_4): 1 - 2.3e-7 beyond;
// fast, |x| <= 4.4, of c x (x^2 + a) and (x^2 + b_1)(x^2 + b_2): .9992 beyond. Multiplied out it takes the fewest steps.
TAPEZOO_INLINE Ratio tanh_ratio(vec x) {
#if defined(TAPEZOO_FAST_TANH)
  x = min(max(x, fill(-4.4f)), fill(4.4f));
  const vec square = x * x;
  return {x * fma(fill(13.268162f), square, fill(167.73743082f)),
          fma(square + fill(68.5348242f), square, fill(168.0466395f))};
#else
  x = min(max(x, fill(-8.0f)), fill(8.0f));
  const vec square = x * x;
  const vec over = fma(fma(fma(fill(46.472030801f), square, fill(11999.951754f)), square, fill(525605.948f)), square,
                       fill(4066376.23f));
  const vec under = fma(fma(fma(square + fill(970.5155503f), square, fill(96842.9232f)), square, fill(1881060.1f)), square,
                        fill(4066376.82f));
  return {x * over, under};
#endif
}

// The same where the next sample waits for it: more steps, of which fewer wait for each other.
TAPEZOO_INLINE Ratio short_tanh_ratio(vec x) {
#if defined(TAPEZOO_FAST_TANH)
  x = min(max(x, fill(-4.4f)), fill(4.4f));
  const vec first = fma(x, x, fill(12.642100f)), p = fma(x, x, fill(2.5466162f)), q = fma(x, x, fill(65.988208f));
  return {(x * fill(13.268162f)) * first, p * q};
#else
  x = min(max(x, fill(-8.0f)), fill(8.0f));
  const vec first = fma(x, x, fill(9.8797965f)), second = fma(x, x, fill(43.16674235f)), third = fma(x, x, fill(205.17225549f));
  const vec p = fma(x, x, fill(2.4674656f)), q = fma(x, x, fill(22.52785847f));
  const vec r = fma(x, x, fill(85.01229233f)), s = fma(x, x, fill(860.50793334f));
  return {((x * fill(46.472030801f)) * third) * (first * second), (p * s) * (q * r)};
#endif
}

TAPEZOO_INLINE vec tanh(vec x) {
  const Ratio ratio = tanh_ratio(x);
  return ratio.over / ratio.under;
}

TAPEZOO_INLINE vec short_tanh(vec x) {
  const Ratio ratio = short_tanh_ratio(x);
  return ratio.over / ratio.under;
}

// 2^x for |x| <= 60; the logistic function of y is 1 / (1 + 2^x) with x = -y / ln 2, a factor that is part of the weights.
TAPEZOO_INLINE vec power_of_two(vec x) {
  vec f;
  const vec power = split_power(min(max(x, fill(-60.0f)), fill(60.0f)), f);
#if defined(TAPEZOO_FAST_TANH)
  const vec series = fma(fma(fill(0.0550086908f), f, fill(0.2422106266f)), f, fill(0.6932829022f));
#else
  const vec square = f * f;
  const vec low = fma(fill(0.24022647738f), f, fill(0.69314718246f)), high = fma(fill(0.00961843785f), f, fill(0.05550332367f));
  const vec top = fma(fill(0.0001535335f), f, fill(0.0013398875f));
  const vec series = fma(fma(top, square, high), square, low);
#endif
  return fma(series * f, power, power);
}

// x above 0, .01 x below.
TAPEZOO_INLINE vec leaky_relu(vec x) { return max(x, x * fill(0.01f)); }

// 1 / (1 + 2^x)
TAPEZOO_INLINE vec sigmoid(vec x) { return fill(1.0f) / (fill(1.0f) + power_of_two(x)); }

// tanh(a) / (1 + 2^b), with one division.
TAPEZOO_INLINE vec gated(vec a, vec b) {
  const Ratio bent = tanh_ratio(a);
  return bent.over / fma(bent.under, power_of_two(b), bent.under);
}
