import Glibc

/// The seed of every random test: TEST_SEED from the environment, or a fixed one.
package let testSeed: UInt64 = {
  guard let text = unsafe getenv("TEST_SEED") else { return 20_261_101 }
  guard let seed = UInt64(unsafe String(cString: text)) else { fatalError("TEST_SEED is no number") }
  return seed
}()

/// Random numbers that a seed repeats (SplitMix64, Steele, Lea and Flood 2014).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameter stream: Tells apart the cases of one test, which then can be repeated one by one.
  package init(seed: UInt64 = testSeed, stream: UInt64 = 0) {
    state = seed &+ stream &* 0xda94_2042_e4dd_58b5
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  package mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
