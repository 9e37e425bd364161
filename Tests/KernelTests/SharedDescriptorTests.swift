import Glibc
import Kernel
import Testing

struct SharedDescriptorTests {
  private func isOpen(_ number: CInt) -> Bool { fcntl(number, F_GETFD) != -1 }

  private func nullDevice() throws(SystemError) -> SharedDescriptor {
    SharedDescriptor(
      Descriptor(owning: try retrying("open /dev/null") { unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }))
  }

  @Test func `a call that is under way keeps it open`() throws {
    let shared = try nullDevice()
    let number = try shared.enter(for: "test")
    shared.close()
    #expect(isOpen(number))
    let error = #expect(throws: SystemError.self) { try shared.enter(for: "enter late") }
    #expect(error?.code == EBADF)
    #expect(isOpen(number), "a late caller closes nothing")
    shared.leave()
    let after = #expect(throws: SystemError.self) { try shared.enter(for: "enter later") }
    #expect(after?.code == EBADF)
  }

  @Test func `closing twice, and going, closes once`() throws {
    let other = try nullDevice()
    var shared: SharedDescriptor? = try nullDevice()
    let number = shared?.number ?? -1
    shared?.close()
    // Somebody else gets the number (if no other test was faster); the second close and deinit leave it alone.
    let taken = Descriptor(owning: fcntl(other.number, F_DUPFD_CLOEXEC, number))
    shared?.close()
    #expect(isOpen(taken.number))
    shared = nil
    #expect(isOpen(taken.number))
  }

  @Test func `many threads, one close`() async throws {
    for _ in 0..<50 {
      let shared = try nullDevice()
      let entered = await withTaskGroup(of: Int.self) { group in
        for task in 0..<4 {
          group.addTask {
            var entered = 0
            for round in 0..<100 {
              if task == 0, round == 50 { shared.close() }
              guard let number = try? shared.enter(for: "test") else { continue }
              var status = stat()
              if unsafe fstat(number, &status) == 0 { entered += 1 }
              shared.leave()
            }
            return entered
          }
        }
        return await group.reduce(0, +)
      }
      #expect(entered >= 50, "the first task's before it closes")
      #expect(throws: SystemError.self) { try shared.enter(for: "test") }
    }
  }
}
