import AllocationCounter
import Divert
import DivertWire
import TestSupport
import Testing

/// Reading and writing back allocate nothing, however many packets there are.
struct AllocationTests {
  /// Passes some batches, and says how often memory was asked for.
  private func allocations(
    _ options: DivertOptions = [],
    _ pass: (inout DivertSocket, DivertWriter) throws(SystemError) -> Int
  ) throws -> UInt {
    let link = try FrameLink()
    var socket = try DivertSocket(port: 2000, on: link, options: options)
    let writer = socket.writer
    var count: UInt = 0
    for round in 0..<20 {
      var header = DivertSocketTests.incoming
      for number in 0..<50 {
        if number == 25 { header.flags = .outgoing }
        try link.send(header, DivertSocketTests.echo)
      }
      let before = allocation_count()
      let passed = try pass(&socket, writer)
      // The first round is where things are made that stay.
      if round > 0 { count += allocation_count() - before }
      #expect(passed == 50)
      while link.receive() != nil {}
    }
    return count
  }

  @Test func `the counter counts`() {
    let before = allocation_count()
    let array = Array(repeating: before, count: 100)
    #expect(allocation_count() > before && array.count == 100)
  }

  @Test func `a batch passed whole`() throws {
    let count = try allocations { (socket, writer) throws(SystemError) in
      let batch = try socket.read(timeout: .zero)
      return writer.reinject(batch).written
    }
    #expect(count == 0)
  }

  @Test func `a batch passed whole, with what is told beside its packets`() throws {
    let count = try allocations([.time, .mark, .owner]) { (socket, writer) throws(SystemError) in
      let batch = try socket.read(timeout: .zero)
      return writer.reinject(batch).written
    }
    #expect(count == 0)
  }

  @Test func `packets looked at, changed and passed`() throws {
    let count = try allocations { (socket, writer) throws(SystemError) in
      var batch = try socket.read(timeout: .zero)
      while var packet = batch.next() {
        packet.tag += UInt16(packet.bytes.integer(at: 0, as: UInt8.self))
        var bytes = packet.mutableBytes
        bytes.storeBytes(of: 63, toByteOffset: 8, as: UInt8.self)
      }
      return writer.reinject(batch).written
    }
    #expect(count == 0)
  }

  @Test func `packets passed one by one`() throws {
    let count = try allocations { (socket, writer) throws(SystemError) in
      var batch = try socket.read(timeout: .zero)
      var passed = 0
      while let packet = batch.next() {
        try writer.reinject(packet)
        passed += 1
      }
      return passed
    }
    #expect(count == 0)
  }
}
