import Glibc
import Kernel
import Testing

/// The last word of a test run: every descriptor has found its end.
struct LeakedDescriptorTests {
  /// Looks when the process exits, after all tests; a descriptor that is left then fails the run.
  @Test func `no descriptor is left at the end of the run`() {
    #if DEBUG
      atexit {
        let left = Descriptor.openCount
        guard left != 0 else { return }
        print("error: \(left) descriptors were never closed")
        fflush(nil)
        _exit(1)
      }
    #endif
  }
}
