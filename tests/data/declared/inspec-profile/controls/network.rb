# describe port(9999) do
SSH_PORT = 22
api_port = input('api_port', value: 8000, description: 'not 8001')

control 'net-01' do
  impact 1.0
  title 'The shell on port 2222'
  desc <<~EOS
    It doesn't matter that port 2223 was once used.
  EOS
  describe port(SSH_PORT) do
    it { should be_listening }
    its('processes') { should include 'sshd' }
    its('protocols') { should include('tcp') }
    its('protocols') { should_not include('udp') }
  end
  describe port(api_port) do
    its('processes') { should cmp %w(gunicorn uvicorn) }
    its('addresses') { should include '127.0.0.1' }
    its('addresses') { should_not include '0.0.0.0' }
  end
  %w(21 23).each do |number|
    describe port(number) do
      it { should_not be_listening }
    end
  end
end

control 'net-02' do
  only_if { os.linux? }
  describe port('127.0.0.1', 5432) do
    it { should be_listening }
    its('pids') { should_not be_empty }
  end
  describe port.where { protocol =~ /tcp/ && port > 6000 && port < 6100 } do
    it { should_not be_listening }
  end
  describe.one do
    describe port(25) do
      it { should be_listening }
    end
    describe port(587) do
      it { should be_listening }
    end
  end
  describe port(53) do
    it { should be_listening }
    its('protocols') { should include 'udp' }
    its('protocols') { should include 'tcp' }
  end
end
