import torch
from torch.nn import functional


def train(model, train_loader, tune_loader, spec, report):
    # By hand: importing torch.optim's machinery would double the time of a training.
    parameters = list(model.parameters())
    for epoch in range(3):
        for images, targets in train_loader:
            loss = functional.cross_entropy(model(images.to(spec.device)), targets.to(spec.device))
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients):
                    parameter -= 0.1 * gradient
        report(epoch=epoch, loss=loss)
    return model
