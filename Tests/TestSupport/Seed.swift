import Glibc

/// Where random tests begin: the same place every time, unless TEST_SEED says otherwise. Failures name it.
public enum Seed {
  public static let current: UInt64 = {
    guard let text = unsafe getenv("TEST_SEED") else { return 0x00d1_7e47 }
    return UInt64(unsafe String(cString: text)) ?? 0x00d1_7e47
  }()

  /// SplitMix64: small, fast, good enough for tests.
  public struct Generator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64 = Seed.current) { state = seed }

    public mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return mixed ^ (mixed >> 31)
    }
  }
}
