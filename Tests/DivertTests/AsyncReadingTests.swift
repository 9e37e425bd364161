import Divert
import DivertWire
import Glibc
import Synchronization
import TestSupport
import Testing

struct AsyncReadingTests {
  let echo = DivertSocketTests.echo
  let header = DivertSocketTests.incoming

  /// Reads until the packet with tag 0 and says which tags came before.
  static func tags(_ socket: consuming DivertSocket) async throws(SystemError) -> [UInt16] {
    var tags: [UInt16] = []
    while true {
      var batch = try await socket.read()
      while let packet = batch.next() {
        if packet.tag == 0 { return tags }
        tags.append(packet.tag)
      }
    }
  }

  private func send(_ tag: UInt16, to link: FrameLink) throws {
    var header = header
    header.tag = tag
    try link.send(header, echo)
  }

  @Test func `a task that waits is woken, whether it waits yet or not`() async throws {
    let link = try FrameLink()
    async let tags = Self.tags(try DivertSocket(port: 2000, on: link))
    for tag in 1...200 as ClosedRange<UInt16> {
      try send(tag, to: link)
      await Task.yield()
    }
    try send(0, to: link)
    #expect(try await tags == Array(1...200))
  }

  @Test func `a cancelled task is woken with ECANCELED, and the socket can be read again`() async throws {
    let link = try FrameLink()
    var socket = try DivertSocket(port: 2000, on: link)
    for _ in 0..<20 {
      // The task that is cancelled gets the socket and gives it back.
      let task = Task { [box = Box(socket)] () -> (CInt?, Box) in
        guard var socket = box.take() else { return (nil, box) }
        do throws(SystemError) {
          _ = try await socket.read().count
          box.put(socket)
          return (nil, box)
        } catch {
          box.put(socket)
          return (error.code, box)
        }
      }
      await Task.yield()
      task.cancel()
      let (code, box) = await task.value
      #expect(code == ECANCELED)
      guard let back = box.take() else { throw SystemError("get the socket back", code: EBADF) }
      socket = back
    }
    try send(5, to: link)
    var batch = try await socket.read()
    while let packet = batch.next() { #expect(packet.tag == 5) }
    #expect(socket.statistics.received == 1)
  }

  @Test func `a wait that has an end ends without packets, or with those that come`() async throws {
    let link = try FrameLink()
    var socket = try DivertSocket(port: 2000, on: link)
    for limit in [.zero, .nanoseconds(1), .milliseconds(1), .milliseconds(2)] as [Duration] {
      let count = try await socket.read(within: limit).count
      #expect(count == 0)
    }
    for tag in 1...20 as ClosedRange<UInt16> {
      // Sent by a task that may run before the wait begins, or after.
      async let sent: Void = send(tag, to: link)
      var batch = try await socket.read(within: .seconds(tag == 20 ? Int64.max / 2 : 3600))
      while let packet = batch.next() { #expect(packet.tag == tag) }
      try await sent
      let count = try await socket.read(within: .milliseconds(1)).count
      #expect(count == 0, "an hour's timer does not keep the next one")
    }
    #expect(socket.statistics.received == 20)
  }

  @Test func `a wait that has an end can be cancelled`() async throws {
    let link = try FrameLink()
    let task = Task { () -> CInt? in
      var socket = try DivertSocket(port: 2000, on: link)
      do throws(SystemError) { _ = try await socket.read(within: .seconds(3600)).count } catch {
        return error.code
      }
      return nil
    }
    await Task.yield()
    task.cancel()
    #expect(try await task.value == ECANCELED)
  }

  @Test func `a sequence ends where the port was released`() async throws {
    let link = try FrameLink()
    let packets = try DivertSocket(port: 2000, on: link).packets()
    for tag in [1, 2, 3] as [UInt16] { try send(tag, to: link) }
    var released = header
    released.operation = .released
    try link.send(released, [])
    try send(4, to: link)
    var tags: [UInt16] = []
    for try await packet in packets { tags.append(packet.address.tag) }
    #expect(tags == [1, 2, 3])
    #expect(try await packets.next() == nil)
  }

  @Test func `as a sequence of copies`() async throws {
    let link = try FrameLink()
    let socket = try DivertSocket(port: 2000, on: link)
    let writer = socket.writer
    for tag in [1, 2, 3, 0] as [UInt16] { try send(tag, to: link) }
    var tags: [UInt16] = []
    for try await packet in socket.packets() {
      #expect(packet.bytes == echo)
      tags.append(packet.address.tag)
      try writer.reinject(packet)
      if packet.address.tag == 0 { break }
    }
    #expect(tags == [1, 2, 3, 0])
    for tag in tags { #expect(link.receive()?[3] == UInt8(tag)) }
  }
}

/// Carries a socket into a task and out again.
private final class Box: Sendable {
  private let content: Mutex<DivertSocket?>
  init(_ socket: consuming DivertSocket) { content = Mutex(socket) }
  func take() -> DivertSocket? { content.withLock { $0.take() } }
  func put(_ socket: consuming DivertSocket) {
    var socket: DivertSocket? = consume socket
    content.withLock { $0 = socket.take() }
  }
}
